// Shapes of the account layer's bodies. Sources: Resource Controller API v2, Resource Manager API v2, Global Catalog API
// v1, Global Search API v2, Global Tagging API v1. Unknown fields are let through, as these APIs do.

import { Type } from 'typebox'
import { resourceNameLengthMax, tagNamesPerRequestMax, taggedResourcesPerRequestMax } from '#base/limits.ts'

export const open = { additionalProperties: true } as const
export const text = Type.String()
export const optionalText = Type.Optional(text)
export const nullableText = Type.Union([text, Type.Null()])
export const object = Type.Record(Type.String(), Type.Unknown())

/** "Must be 180 characters or less and cannot include any special characters other than (space) - . _ :". */
export const resourceName = Type.String({
  minLength: 1,
  maxLength: resourceNameLengthMax,
  pattern: '^[\\p{L}\\p{M}\\p{N} ._:\\-]+$',
})

export const instance = Type.Object(
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
    sub_type: text,
    state: text,
    parameters: object,
    allow_cleanup: Type.Boolean(),
    locked: Type.Boolean(),
    migrated: Type.Boolean(),
    onetime_credentials: Type.Boolean(),
    last_operation: Type.Object({
      type: text,
      sub_type: Type.Optional(text),
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
    plan_history: Type.Array(Type.Object({ resource_plan_id: text, start_date: text, requestor_id: text })),
    extensions: object,
    created_at: text,
    created_by: text,
    updated_at: text,
    updated_by: text,
    deleted_at: nullableText,
    deleted_by: text,
    scheduled_reclaim_at: nullableText,
    scheduled_reclaim_by: text,
    restored_at: nullableText,
    restored_by: text,
  },
  open,
)

export const reclamation = Type.Object(
  {
    id: text,
    entity_id: text,
    entity_type_id: text,
    entity_crn: text,
    resource_instance_id: text,
    resource_group_id: text,
    account_id: text,
    policy_id: text,
    state: text,
    target_time: text,
    custom_properties: object,
    created_at: text,
    created_by: text,
    updated_at: text,
    updated_by: text,
  },
  open,
)

export const group = Type.Object(
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

export const quota = Type.Object(
  {
    id: text,
    name: text,
    type: text,
    number_of_apps: Type.Integer(),
    number_of_service_instances: Type.Integer(),
    default_number_of_instances_per_lite_plan: Type.Integer(),
    instances_per_app: Type.Integer(),
    instance_memory: text,
    total_app_memory: text,
    vsi_limit: Type.Integer(),
    resource_quotas: Type.Array(Type.Unknown()),
    created_at: text,
    updated_at: text,
  },
  open,
)

export const catalogEntry = Type.Object(
  {
    id: text,
    name: text,
    kind: text,
    active: Type.Boolean(),
    disabled: Type.Boolean(),
    group: Type.Boolean(),
    catalog_crn: text,
    url: text,
    children_url: text,
    parent_id: optionalText,
    parent_url: optionalText,
    overview_ui: object,
    images: object,
    provider: object,
    tags: Type.Array(text),
    geo_tags: Type.Array(text),
    pricing_tags: Type.Array(text),
    created: text,
    updated: text,
    children: Type.Array(Type.Unknown()),
    metadata: Type.Optional(object),
  },
  open,
)

export const catalogPage = Type.Object({
  offset: Type.Integer(),
  limit: Type.Integer(),
  count: Type.Integer(),
  resource_count: Type.Integer(),
  first: text,
  prev: optionalText,
  next: optionalText,
  resources: Type.Array(catalogEntry),
})

/** How much of an entry is shown. */
export const catalogShown = {
  include: optionalText,
  complete: Type.Optional(Type.Boolean()),
  languages: optionalText,
  account: optionalText,
}

export const catalogListing = Type.Object({
  ...catalogShown,
  q: optionalText,
  'sort-by': optionalText,
  descending: optionalText,
  catalog: optionalText,
  _offset: Type.Optional(Type.Integer({ minimum: 0 })),
  _limit: Type.Optional(Type.Integer({ minimum: 1 })),
})

const tagNames = Type.Array(text, { minItems: 1, maxItems: tagNamesPerRequestMax })
const tagResource = Type.Object({ resource_id: text, resource_type: optionalText }, open)

export const newTags = Type.Object({ tag_names: tagNames }, open)

export const tagging = Type.Object(
  {
    tag_name: optionalText,
    tag_names: Type.Optional(tagNames),
    resources: Type.Optional(Type.Array(tagResource, { minItems: 1, maxItems: taggedResourcesPerRequestMax })),
    query: Type.Optional(Type.Object({ query_string: text }, open)),
  },
  open,
)

export const tagType = Type.Union([Type.Literal('user'), Type.Literal('access'), Type.Literal('service')])

/** What every operation on tags may be asked with. `providers` is taken and means nothing: there is one. */
export const tagQuery = {
  account_id: optionalText,
  tag_type: Type.Optional(tagType),
  providers: optionalText,
}

export const taggingResults = Type.Object({
  results: Type.Array(Type.Object({ resource_id: text, is_error: Type.Boolean(), message: optionalText })),
})

export const searchItem = Type.Object(
  { crn: text, tags: Type.Array(text), access_tags: Type.Array(text), service_tags: Type.Array(text) },
  open,
)
