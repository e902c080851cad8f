// The wire of the resource controller and the resource manager, as far as key manager instances need it.
// Source: Resource Controller API v2 and Resource Manager API v2, "Resource instances" and "Resource groups".

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'

const text = Type.String()
const nullableText = Type.Union([Type.String(), Type.Null()])
const object = Type.Record(Type.String(), Type.Unknown())
const open = { additionalProperties: true } as const

const instance = Type.Object(
  {
    id: text,
    guid: text,
    crn: text,
    url: text,
    name: text,
    region_id: text,
    account_id: text,
    resource_plan_id: text,
    resource_group_id: text,
    resource_group_crn: text,
    target_crn: text,
    resource_id: text,
    type: text,
    state: text,
    parameters: object,
    allow_cleanup: Type.Boolean(),
    locked: Type.Boolean(),
    sub_type: text,
    migrated: Type.Boolean(),
    onetime_credentials: Type.Boolean(),
    last_operation: Type.Object({
      type: text,
      state: text,
      async: Type.Boolean(),
      description: text,
      cancelable: Type.Boolean(),
      poll: Type.Boolean(),
    }),
    dashboard_url: text,
    resource_aliases_url: text,
    resource_bindings_url: text,
    resource_keys_url: text,
    plan_history: Type.Array(Type.Object({ resource_plan_id: text, start_date: text })),
    scheduled_reclaim_at: nullableText,
    restored_at: nullableText,
    extensions: Type.Object({ endpoints: Type.Object({ public: text, private: text }) }, open),
    created_at: text,
    created_by: text,
    updated_at: text,
    updated_by: text,
    deleted_at: nullableText,
    deleted_by: text,
  },
  open,
)

const group = Type.Object(
  {
    id: text,
    crn: text,
    account_id: text,
    name: text,
    state: text,
    default: Type.Boolean(),
    quota_id: text,
    quota_url: text,
    payment_methods_url: text,
    resource_linkages: Type.Array(Type.Unknown()),
    teams_url: text,
    created_at: text,
    updated_at: text,
  },
  open,
)

export const resourcesContract = {
  createResourceInstance: {
    method: 'POST',
    path: '/v2/resource_instances',
    summary: 'Provisions a service instance',
    action: 'resource-controller.instance.create',
    body: Type.Object(
      {
        name: Type.String({ minLength: 1, maxLength: 180 }),
        target: Type.String({ minLength: 1, maxLength: 500 }),
        resource_group: Type.String({ minLength: 1, maxLength: 100 }),
        resource_plan_id: Type.String({ minLength: 1, maxLength: 100 }),
        tags: Type.Optional(Type.Array(Type.String({ maxLength: 128 }), { maxItems: 100 })),
        parameters: Type.Optional(object),
        allow_cleanup: Type.Optional(Type.Boolean()),
      },
      open,
    ),
    status: 201,
    reply: instance,
  },
  listResourceInstances: {
    method: 'GET',
    path: '/v2/resource_instances',
    summary: 'Lists the service instances of the account',
    action: 'resource-controller.instance.retrieve',
    query: Type.Object({
      guid: Type.Optional(text),
      name: Type.Optional(text),
      resource_group_id: Type.Optional(text),
      resource_id: Type.Optional(text),
      resource_plan_id: Type.Optional(text),
      type: Type.Optional(text),
      state: Type.Optional(text),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
      start: Type.Optional(text),
    }),
    status: 200,
    reply: Type.Object({
      rows_count: Type.Integer(),
      next_url: nullableText,
      resources: Type.Array(instance),
    }),
  },
  getResourceInstance: {
    method: 'GET',
    path: '/v2/resource_instances/{id}',
    summary: 'Shows a service instance, by GUID or CRN',
    action: 'resource-controller.instance.retrieve',
    status: 200,
    reply: instance,
  },
  deleteResourceInstance: {
    method: 'DELETE',
    path: '/v2/resource_instances/{id}',
    summary: 'Removes a service instance that holds nothing any more',
    action: 'resource-controller.instance.delete',
    query: Type.Object({ recursive: Type.Optional(Type.Boolean()) }),
    status: 204,
  },
  listResourceGroups: {
    method: 'GET',
    path: '/v2/resource_groups',
    summary: 'Lists the resource groups of an account',
    action: 'resource-controller.group.retrieve',
    query: Type.Object({
      account_id: Type.Optional(text),
      name: Type.Optional(text),
      default: Type.Optional(Type.Boolean()),
    }),
    status: 200,
    reply: Type.Object({ resources: Type.Array(group) }),
  },
  getResourceGroup: {
    method: 'GET',
    path: '/v2/resource_groups/{id}',
    summary: 'Shows a resource group',
    action: 'resource-controller.group.retrieve',
    status: 200,
    reply: group,
  },
} as const satisfies Contract
