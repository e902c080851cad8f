// Rows to wire. Every field that the official clients read without looking is there, as text or a list, never missing.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { formatCrn } from '#base/crn.ts'
import type { resourcesContract } from './contract.ts'
import { instanceCrn } from './instances.ts'
import type { Page } from './instances.ts'
import { kmsStandardPlan, planById } from './plans.ts'
import type { GroupRow, InstanceRow } from './tables.ts'

type InstanceView = Static<(typeof resourcesContract)['getResourceInstance']['reply']>
type InstancePage = Static<(typeof resourcesContract)['listResourceInstances']['reply']>
type GroupView = Static<(typeof resourcesContract)['getResourceGroup']['reply']>

export function instanceView(row: InstanceRow, baseUrl: string): InstanceView {
  const crn = instanceCrn(row)
  const path = `/v2/resource_instances/${row.guid}`
  const plan = planById(row.plan_id) ?? kmsStandardPlan
  const removed = row.state === 'removed'
  return {
    id: crn,
    guid: row.guid,
    crn,
    url: path,
    name: row.name,
    region_id: row.region,
    account_id: row.account_id,
    resource_plan_id: row.plan_id,
    resource_id: plan.serviceId,
    resource_group_id: row.resource_group_id,
    resource_group_crn: groupCrn(row.account_id, row.resource_group_id),
    target_crn: `crn:v1:bluemix:public:globalcatalog::::deployment:${row.plan_id}%3A${row.region}`,
    type: 'service_instance',
    sub_type: '',
    state: row.state,
    parameters: JSON.parse(row.parameters),
    allow_cleanup: row.allow_cleanup === 1,
    locked: false,
    migrated: false,
    onetime_credentials: false,
    last_operation: {
      type: removed ? 'delete' : 'create',
      state: row.state === 'provisioning' ? 'in progress' : 'succeeded',
      async: false,
      description: removed ? 'Removed' : 'Completed create instance operation',
      cancelable: false,
      poll: false,
    },
    dashboard_url: baseUrl,
    resource_aliases_url: `${path}/resource_aliases`,
    resource_bindings_url: `${path}/resource_bindings`,
    resource_keys_url: `${path}/resource_keys`,
    plan_history: [{ resource_plan_id: row.plan_id, start_date: rfc3339(row.created_at) }],
    extensions: { endpoints: { public: baseUrl, private: baseUrl } },
    created_at: rfc3339(row.created_at),
    created_by: row.created_by,
    updated_at: rfc3339(row.updated_at),
    updated_by: row.created_by,
    deleted_at: row.deleted_at === null ? null : rfc3339(row.deleted_at),
    deleted_by: row.deleted_by ?? '',
    scheduled_reclaim_at: null,
    restored_at: null,
  }
}

export const instancePage = (page: Page, baseUrl: string, limit: number): InstancePage => ({
  rows_count: page.instances.length,
  // Relative: the clients put it behind their own base URL.
  next_url: page.next === null ? null : `/v2/resource_instances?limit=${limit}&start=${page.next}`,
  resources: page.instances.map((row) => instanceView(row, baseUrl)),
})

export const groupView = (row: GroupRow): GroupView => ({
  id: row.id,
  crn: groupCrn(row.account_id, row.id),
  account_id: row.account_id,
  name: row.name,
  state: 'ACTIVE',
  default: row.is_default === 1,
  quota_id: quotaId,
  quota_url: `/v2/quota_definitions/${quotaId}`,
  payment_methods_url: `/v2/resource_groups/${row.id}/payment_methods`,
  resource_linkages: [],
  teams_url: `/v2/resource_groups/${row.id}/teams`,
  created_at: rfc3339(row.created_at),
  updated_at: rfc3339(row.created_at),
})

const groupCrn = (accountId: string, id: string): string =>
  formatCrn({ serviceName: 'resource-controller', accountId, resourceType: 'resource-group', resource: id })

/** Clients only compare it: there is one quota definition here, and it limits nothing. */
const quotaId = 'a3d7b8d01e261c24677937c29ab33f3c'
