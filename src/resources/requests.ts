// Wire to domain: where the names of the wire end.

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import { resourcePageDefault } from '#base/limits.ts'
import type { resourcesContract } from './contract.ts'
import type { NewInstance } from './instances.ts'
import { kmsStandardPlan } from './plans.ts'
import type { InstanceFilter } from './tables.ts'

type NewInstanceBody = Static<(typeof resourcesContract)['createResourceInstance']['body']>
type InstanceQuery = Static<(typeof resourcesContract)['listResourceInstances']['query']>

export const newInstance = (body: NewInstanceBody): NewInstance => ({
  name: body.name,
  planId: body.resource_plan_id,
  target: body.target,
  resourceGroupId: body.resource_group,
  parameters: body.parameters ?? {},
  allowCleanup: body.allow_cleanup ?? false,
})

export function instancePageRequest(query: InstanceQuery): {
  filter: InstanceFilter
  after: string | null
  limit: number
} {
  if (query.start !== undefined && !isUuid(query.start)) {
    throw new Fault('invalid', 'start is not one of ours', { target: { type: 'parameter', name: 'start' } })
  }
  const filter: InstanceFilter = {
    ...(query.guid !== undefined && { guid: query.guid }),
    ...(query.name !== undefined && { name: query.name }),
    ...(query.resource_group_id !== undefined && { resourceGroupId: query.resource_group_id }),
    ...(query.resource_plan_id !== undefined && { planId: query.resource_plan_id }),
    ...(query.state !== undefined && { state: query.state }),
    ...(query.resource_id !== undefined && {
      serviceName: query.resource_id === kmsStandardPlan.serviceId ? 'kms' : '',
    }),
  }
  return { filter, after: query.start ?? null, limit: query.limit ?? resourcePageDefault }
}
