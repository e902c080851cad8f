// What stands behind an instance: the service that makes room for it and takes the room away. Resource Controller API,
// "resource broker". For an instance that is nothing but its record there is nothing to do.

import type { KmsPort } from '#kms/port.ts'
import type { Plan } from './plans.ts'
import type { InstanceRow } from './tables.ts'

export interface Broker {
  /** Why no instance can be provisioned here, or null. */
  readonly refusal: string | null
  /** May be repeated. */
  create(instance: InstanceRow): Promise<void>
  /** May be repeated. Fault 'conflict' while the instance holds what must not be lost. */
  remove(instance: InstanceRow): Promise<void>
}

export type Brokers = Readonly<Record<Plan['serviceName'], Broker>>

export const makeBrokers = (kms: KmsPort): Brokers => ({
  kms: keyManager(kms, 'kms', null),
  'hs-crypto': keyManager(kms, 'hs-crypto', kms.hsCryptoRefusal),
  'cloud-object-storage': { refusal: null, create: nothing, remove: nothing },
})

const keyManager = (kms: KmsPort, serviceName: 'kms' | 'hs-crypto', refusal: string | null): Broker => ({
  refusal,
  create: (row) =>
    kms.createInstance({
      id: row.guid,
      serviceName,
      accountId: row.account_id,
      region: row.region,
      resourceGroupId: row.resource_group_id,
    }),
  remove: (row) => kms.deleteInstance(row.guid),
})

async function nothing(): Promise<void> {}
