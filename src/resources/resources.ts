// The account layer: service instances and the resource groups that they lie in, the catalog of what can be provisioned,
// and search and tags over everything that an account has.

import type { Clock } from '#base/clock.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Consumer } from '#events/dispatcher.ts'
import type { Outbox } from '#events/outbox.ts'
import type { CosPort } from '#cos/port.ts'
import type { CredentialsPort, IamPort } from '#iam/port.ts'
import type { KmsPort } from '#kms/port.ts'
import type { Database } from '#store/database.ts'
import { makeBrokers } from './brokers.ts'
import { makeCatalog } from './catalog.ts'
import type { Catalog } from './catalog.ts'
import { makeGroups } from './groups.ts'
import type { Groups } from './groups.ts'
import { makeInstanceCreation } from './instance-create.ts'
import type { InstanceCreation } from './instance-create.ts'
import { makeInstances } from './instances.ts'
import type { Instances } from './instances.ts'
import { makeKeys } from './keys.ts'
import type { Keys } from './keys.ts'
import { makeKnownResources } from './known-resources.ts'
import { makeOwnResources } from './own-resources.ts'
import type { ResourcesPort, Searchable, StorageInstance } from './port.ts'
import { makeProvisioning } from './provisioning.ts'
import { makeReclamations } from './reclamations.ts'
import type { Reclamations } from './reclamations.ts'
import { makeSearch } from './search.ts'
import type { Search } from './search.ts'
import { selectInstanceOfService } from './tables.ts'
import { makeTags } from './tags.ts'
import type { Tags } from './tags.ts'

export interface Resources {
  readonly port: ResourcesPort
  readonly creation: InstanceCreation
  readonly instances: Instances
  readonly keys: Keys
  readonly reclamations: Reclamations
  readonly groups: Groups
  readonly catalog: Catalog
  readonly search: Search
  readonly tags: Tags
  readonly consumers: readonly Consumer[]
}

export interface ResourcesParts {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly iam: IamPort
  readonly kms: KmsPort
  readonly cos: CosPort
  readonly credentials: CredentialsPort
  readonly sealer: Sealer
  /** Where object storage is, for whoever is given credentials for it. */
  readonly cosUrl: () => string
  /** The region that this installation is: in the catalog, whatever its name. */
  readonly region: string
  /** The other services whose resources are found and tagged here. The list may grow until the first request. */
  readonly searchables: readonly Searchable[]
}

export function makeResources(parts: ResourcesParts): Resources {
  const { database, region, searchables } = parts
  const brokers = makeBrokers(parts.kms)
  const provisioning = makeProvisioning({ ...parts, brokers })
  const reclamations = makeReclamations({ ...parts, provisioning })
  const groups = makeGroups(parts)
  const keys = makeKeys(parts)
  const knownResources = makeKnownResources({ database, own: makeOwnResources(database), searchables })
  const halfDone: Consumer = {
    name: 'resources.provisioning',
    types: ['resources.instance.created', 'resources.instance.removal-requested'],
    async reconcile() {
      await reclamations.reclaimDue()
      await provisioning.finishAll()
    },
  }
  return {
    port: { group: groups.group, storageInstance: (guid) => storageInstance(database, guid) },
    creation: makeInstanceCreation({ ...parts, brokers, provisioning }),
    instances: makeInstances({ ...parts, provisioning, keys }),
    keys,
    reclamations,
    groups,
    catalog: makeCatalog(region),
    search: makeSearch({ ...parts, knownResources }),
    tags: makeTags({ ...parts, knownResources }),
    consumers: [halfDone],
  }
}

async function storageInstance({ reads }: Database, guid: string): Promise<StorageInstance | null> {
  const row = await selectInstanceOfService(reads, 'cloud-object-storage', guid)
  if (!row || row.state === 'removed' || row.state === 'pending_removal') return null
  const { account_id: accountId, resource_group_id: resourceGroupId, state } = row
  return { id: row.guid, accountId, resourceGroupId, isActive: state === 'active' }
}
