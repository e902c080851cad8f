// Rows to wire. Every field that the official clients read without looking is there, as text or a list, never missing.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import type { resourcesContract } from './contract.ts'
import { groupCrn } from './groups.ts'
import { instanceCrn, parsePlanHistory } from './instance.ts'
import type { InstancePage } from './instances.ts'
import { deploymentCrn, planById } from './plans.ts'
import { groupQuotaId } from './quotas.ts'
import type { Quota } from './quotas.ts'
import type { Reclamation } from './reclamations.ts'
import { pageToken } from './requests.ts'
import type { SearchResult } from './search.ts'
import type { GroupRow, InstanceRow } from './tables.ts'
import type { TagOutcome, TagListing } from './tags.ts'
import type { TagPage } from './tables-tags.ts'

type Contract = typeof resourcesContract
type InstanceView = Static<Contract['getResourceInstance']['reply']>
type InstancePageView = Static<Contract['listResourceInstances']['reply']>
type InstanceQuery = Static<Contract['listResourceInstances']['query']>
type ReclamationView = Static<Contract['runReclamationAction']['reply']>
type GroupView = Static<Contract['getResourceGroup']['reply']>
type QuotaView = Static<Contract['getQuotaDefinition']['reply']>
type SearchView = Static<Contract['searchResources']['reply']>

const timeOrNull = (at: number | null): string | null => (at === null ? null : rfc3339(at))

export function instanceView(row: InstanceRow, baseUrl: string): InstanceView {
  const crn = instanceCrn(row)
  const path = `/v2/resource_instances/${row.guid}`
  const parameters = parametersOf(row)
  return {
    id: crn,
    guid: row.guid,
    crn,
    url: path,
    name: row.name,
    region_id: row.region,
    account_id: row.account_id,
    resource_plan_id: row.plan_id,
    resource_id: planById(row.plan_id)?.serviceId ?? '',
    resource_group_id: row.resource_group_id,
    resource_group_crn: groupCrn(row.account_id, row.resource_group_id),
    target_crn: deploymentCrn(row.plan_id, row.region),
    type: 'service_instance',
    sub_type: hasKeys(row) ? row.service_name : '',
    state: row.state,
    parameters,
    allow_cleanup: row.allow_cleanup === 1,
    locked: row.locked === 1,
    migrated: false,
    onetime_credentials: parameters['onetime_credentials'] === true,
    last_operation: lastOperation(row),
    dashboard_url: baseUrl,
    resource_aliases_url: `${path}/resource_aliases`,
    resource_bindings_url: `${path}/resource_bindings`,
    resource_keys_url: `${path}/resource_keys`,
    plan_history: parsePlanHistory(row.plan_history).map(({ planId, at, by }) => ({
      resource_plan_id: planId,
      start_date: rfc3339(at),
      requestor_id: by,
    })),
    // Terraform takes the two endpoints of a key manager without looking.
    extensions: hasKeys(row) ? { endpoints: { public: baseUrl, private: baseUrl } } : {},
    created_at: rfc3339(row.created_at),
    created_by: row.created_by,
    updated_at: rfc3339(row.updated_at),
    updated_by: row.updated_by,
    deleted_at: timeOrNull(row.deleted_at),
    deleted_by: row.deleted_by ?? '',
    scheduled_reclaim_at: timeOrNull(row.scheduled_reclaim_at),
    scheduled_reclaim_by: row.scheduled_reclaim_by ?? '',
    restored_at: timeOrNull(row.restored_at),
    restored_by: row.restored_by ?? '',
  }
}

const hasKeys = (row: InstanceRow): boolean => row.service_name === 'kms' || row.service_name === 'hs-crypto'

/** As the client sent it: the contract let nothing but an object through. */
const parametersOf = (row: InstanceRow): Record<string, unknown> => JSON.parse(row.parameters)

const lastOperation = (row: InstanceRow): InstanceView['last_operation'] => ({
  type: row.operation_type,
  ...(row.operation_sub_type !== '' && { sub_type: row.operation_sub_type }),
  state: row.operation_state,
  async: false,
  description: row.operation_description,
  cancelable: row.state === 'provisioning',
  poll: false,
})

export const instancePageView = (page: InstancePage, query: InstanceQuery, baseUrl: string): InstancePageView => ({
  rows_count: page.instances.length,
  next_url: page.next === null ? null : nextUrl(query, pageToken(query, page.next)),
  resources: page.instances.map((row) => instanceView(row, baseUrl)),
})

/** Relative: the clients put it behind their own base URL. */
const nextUrl = (query: InstanceQuery, token: string): string =>
  `/v2/resource_instances?${new URLSearchParams({ ...(query.limit && { limit: String(query.limit) }), start: token })}`

export const reclamationView = ({ row, instance, state }: Reclamation): ReclamationView => ({
  id: row.id,
  entity_id: instance.guid,
  entity_type_id: planById(instance.plan_id)?.serviceId ?? '',
  entity_crn: instanceCrn(instance),
  resource_instance_id: instance.guid,
  resource_group_id: row.resource_group_id,
  account_id: row.account_id,
  policy_id: '',
  state,
  target_time: rfc3339(row.target_at),
  custom_properties: {},
  created_at: rfc3339(row.created_at),
  created_by: row.created_by,
  updated_at: rfc3339(row.created_at),
  updated_by: row.created_by,
})

// Groups and quotas ---------------------------------------------------------------------------------------------------

export const groupView = (row: GroupRow): GroupView => ({
  id: row.id,
  crn: groupCrn(row.account_id, row.id),
  account_id: row.account_id,
  name: row.name,
  state: row.state,
  default: row.is_default === 1,
  quota_id: groupQuotaId,
  quota_url: `/v2/quota_definitions/${groupQuotaId}`,
  payment_methods_url: `/v2/resource_groups/${row.id}/payment_methods`,
  resource_linkages: [],
  teams_url: `/v2/resource_groups/${row.id}/teams`,
  created_at: rfc3339(row.created_at),
  updated_at: rfc3339(row.updated_at),
})

/** Resource Manager API, "Create a resource group": no more than its names. */
export const newGroupView = (row: GroupRow) => ({ id: row.id, crn: groupCrn(row.account_id, row.id) })

/** Numbers that limit nothing here, in the fields that clients read. */
export const quotaView = (quota: Quota): QuotaView => ({
  id: quota.id,
  name: quota.name,
  type: quota.type,
  number_of_apps: quota.instances,
  number_of_service_instances: quota.instances,
  default_number_of_instances_per_lite_plan: 1,
  instances_per_app: quota.instances,
  instance_memory: '8G',
  total_app_memory: '512G',
  vsi_limit: quota.instances,
  resource_quotas: [],
  created_at: quotaDay,
  updated_at: quotaDay,
})

const quotaDay = '2026-01-01T00:00:00.000Z'

// Search and tags -----------------------------------------------------------------------------------------------------

export const searchView = ({ items, limit, cursor }: SearchResult): SearchView => ({
  items: items.map((item) => ({
    ...item,
    tags: [...item.tags],
    access_tags: [...item.access_tags],
    service_tags: [...item.service_tags],
  })),
  limit,
  ...(cursor !== null && { search_cursor: cursor }),
})

export const tagPageView = (page: TagPage, { offset, limit }: TagListing) => ({
  total_count: page.totalCount,
  offset,
  limit,
  items: page.names.map((name) => ({ name })),
})

export const newTagsView = (outcomes: readonly TagOutcome[]) => ({
  results: outcomes.map(({ subject, problem }) => ({ tag_name: subject, is_error: problem !== null })),
})

export const taggingView = (outcomes: readonly TagOutcome[]) => ({
  results: outcomes.map(({ subject, problem }) => ({
    resource_id: subject,
    is_error: problem !== null,
    ...(problem !== null && { message: problem }),
  })),
})

export const deletedTagView = ({ problem }: TagOutcome) => ({
  results: [{ provider: 'ghost', is_error: problem !== null, ...(problem !== null && { message: problem }) }],
})

export const deletedTagsView = (names: readonly string[]) => ({
  total_count: names.length,
  errors: false,
  items: names.map((name) => ({ tag_name: name, is_error: false })),
})
