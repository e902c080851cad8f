// The account layer: service instances and the resource groups that they lie in.

import type { Clock } from '#base/clock.ts'
import type { Random } from '#base/random.ts'
import type { Consumer } from '#events/dispatcher.ts'
import type { Outbox } from '#events/outbox.ts'
import type { IamPort } from '#iam/port.ts'
import type { KmsPort } from '#kms/port.ts'
import type { Database } from '#store/database.ts'
import { makeGroups } from './groups.ts'
import type { Groups } from './groups.ts'
import { makeInstances } from './instances.ts'
import type { Instances } from './instances.ts'
import type { ResourcesPort } from './port.ts'

export interface Resources {
  readonly port: ResourcesPort
  readonly groups: Groups
  readonly instances: Instances
  readonly consumers: readonly Consumer[]
}

export function makeResources(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly iam: IamPort
  readonly kms: KmsPort
}): Resources {
  const groups = makeGroups(parts)
  const instances = makeInstances({ ...parts, groups })
  const provisioning: Consumer = {
    name: 'resources.provisioning',
    types: ['resources.instance.created'],
    reconcile: () => instances.finishProvisioning(),
  }
  return { port: { group: groups.group }, groups, instances, consumers: [provisioning] }
}
