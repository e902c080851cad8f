// Service instances and resource groups, as search and tagging see them.

import type { Crn } from '#base/crn.ts'
import type { Database } from '#store/database.ts'
import { catalogServices } from './catalog-data.ts'
import { groupCrn, groupTarget } from './groups.ts'
import { guidOf, instanceCrn, instanceTarget } from './instance.ts'
import { planById } from './plans.ts'
import type { Searchable, SearchableResource } from './port.ts'
import { selectGroups, selectInstance, selectLivingInstances } from './tables.ts'
import type { GroupRow, InstanceRow } from './tables.ts'

export function makeOwnResources(database: Database): Searchable {
  async function instances(accountId: string, crn: string | null): Promise<readonly InstanceRow[]> {
    if (crn === null) return await selectLivingInstances(database.reads, accountId)
    const row = await selectInstance(database.reads, accountId, guidOf(crn) ?? '')
    return row && row.state !== 'removed' && instanceCrn(row) === crn ? [row] : []
  }

  async function groups(accountId: string, crn: string | null): Promise<readonly GroupRow[]> {
    const rows = await selectGroups(database.reads, accountId)
    return rows.filter((row) => crn === null || groupCrn(row.account_id, row.id) === crn)
  }

  return {
    covers: isOwn,
    resources: async (accountId, crn) => [
      ...(await instances(accountId, crn)).map(instanceResource),
      ...(await groups(accountId, crn)).map(groupResource),
    ],
  }
}

function isOwn({ serviceName, resourceType }: Crn): boolean {
  if (serviceName === 'resource-controller') return resourceType === 'resource-group'
  return resourceType === '' && catalogServices.some((service) => service.name === serviceName)
}

const instanceResource = (row: InstanceRow): SearchableResource => ({
  crn: instanceCrn(row),
  name: row.name,
  family: 'resource_controller',
  type: 'resource-instance',
  serviceName: row.service_name,
  region: row.region,
  resourceGroupId: row.resource_group_id,
  createdAt: row.created_at,
  isReclaimed: row.state === 'pending_reclamation',
  ownTags: [],
  target: instanceTarget(row),
  doc: {
    id: instanceCrn(row),
    guid: row.guid,
    resource_id: planById(row.plan_id)?.serviceId ?? '',
    resource_plan_id: row.plan_id,
    resource_group_id: row.resource_group_id,
    region_id: row.region,
    state: row.state,
    type: 'service_instance',
  },
})

const groupResource = (row: GroupRow): SearchableResource => ({
  crn: groupCrn(row.account_id, row.id),
  name: row.name,
  family: 'resource_controller',
  type: 'resource-group',
  serviceName: 'resource-controller',
  region: 'global',
  resourceGroupId: null,
  createdAt: row.created_at,
  isReclaimed: false,
  ownTags: [],
  target: groupTarget(row),
  doc: { id: row.id, state: row.state, default: row.is_default === 1 },
})
