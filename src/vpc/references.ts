// How volumes and snapshots refer to each other, and what both show of their key. Source: VPC API, reference schemas. Pure.

import type { Snapshot } from './snapshot.ts'
import type { Volume } from './volume.ts'

export const volumeHref = (base: string, id: string): string => `${base}/v1/volumes/${id}`
const snapshotHref = (base: string, id: string): string => `${base}/v1/snapshots/${id}`
export const groupHref = (base: string, id: string): string => `${base}/v1/snapshot_consistency_groups/${id}`

export const snapshotReference = (base: string, { id, crn, name }: Pick<Snapshot, 'id' | 'crn' | 'name'>) => ({
  crn,
  href: snapshotHref(base, id),
  id,
  name,
  resource_type: 'snapshot' as const,
})

/** VPC API, "deleted": what refers to a thing that has gone says so, and where that is explained. */
export const deletedReference = {
  deleted: { more_info: 'https://cloud.ibm.com/apidocs/vpc#deleted-resources' },
} as const

/** The provider's key is the provider's business: its name is shown to nobody. */
export const encryptionOf = ({ isProviderManaged, keyCrn }: Pick<Volume, 'isProviderManaged' | 'keyCrn'>) =>
  isProviderManaged
    ? { encryption: 'provider_managed' as const }
    : { encryption: 'user_managed' as const, encryption_key: { crn: keyCrn } }
