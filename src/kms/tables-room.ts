// SQL of how much lies under keys: volumes, and what they hold as their service has said.

import type { Reads, Tx } from '#store/database.ts'
import type { KeyPlace } from './key.ts'
import type { Registrant } from './resource.ts'

export interface VolumesOfKey {
  readonly keyId: string
  readonly place: KeyPlace
  readonly volumes: number
  readonly capacityGb: number
}

/** Of one account under the keys of another, or its own. */
export async function selectVolumesByKey(
  reads: Reads,
  of: { readonly ownerAccountId: string; readonly accountId: string; readonly exceptCrn: string | null },
): Promise<readonly VolumesOfKey[]> {
  let query = reads
    .selectFrom('kms_registration as r')
    .innerJoin('kms_key as k', 'k.id', 'r.key_id')
    .innerJoin('kms_instance as i', 'i.id', 'k.instance_id')
    .select(['r.key_id as keyId', 'k.key_ring as keyRing', 'i.id', 'i.service_name as serviceName'])
    .select(['i.account_id as accountId', 'i.region', 'i.resource_group_id as resourceGroupId'])
    .select((e) => [e.fn.countAll<number>().as('volumes'), e.fn.sum<number | null>('r.capacity_gb').as('capacityGb')])
    .where('r.account_id', '=', of.accountId)
    .where('i.account_id', '=', of.ownerAccountId)
    .where('r.resource_crn', 'like', 'crn:v1:bluemix:public:is:%::volume:%')
    .groupBy(['r.key_id', 'k.key_ring', 'i.id', 'i.service_name', 'i.account_id', 'i.region', 'i.resource_group_id'])
  if (of.exceptCrn !== null) query = query.where('r.resource_crn', '!=', of.exceptCrn)
  const rows = await query.execute()
  return rows.map(({ keyId, volumes, capacityGb, ...place }) => ({
    keyId,
    place,
    volumes: Number(volumes),
    capacityGb: Number(capacityGb ?? 0),
  }))
}

/** False where the registrant has none of the resource on the key. */
export async function setCapacity(
  tx: Tx,
  of: { readonly keyId: string; readonly resourceCrn: string; readonly by: Registrant; readonly capacityGb: number },
): Promise<boolean> {
  const { numUpdatedRows } = await tx
    .updateTable('kms_registration')
    .set({ capacity_gb: of.capacityGb })
    .where('key_id', '=', of.keyId)
    .where('resource_crn', '=', of.resourceCrn)
    .where('service_name', '=', of.by.serviceName)
    .where('account_id', '=', of.by.accountId)
    .executeTakeFirstOrThrow()
  return numUpdatedRows > 0n
}
