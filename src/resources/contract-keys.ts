// The wire of service credentials. Source: Resource Controller API v2, "Resource keys".

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { nullableText, object, open, optionalText, resourceName, text } from './schemas.ts'

const key = Type.Object(
  {
    id: text,
    guid: text,
    crn: text,
    url: text,
    name: text,
    account_id: text,
    resource_group_id: text,
    resource_id: text,
    source_crn: text,
    state: text,
    role: text,
    credentials: object,
    iam_compatible: Type.Boolean(),
    migrated: Type.Boolean(),
    onetime_credentials: Type.Boolean(),
    resource_instance_url: text,
    resource_alias_url: nullableText,
    created_at: text,
    created_by: text,
    updated_at: text,
    updated_by: text,
    deleted_at: nullableText,
    deleted_by: text,
  },
  open,
)

const page = Type.Object({ rows_count: Type.Integer(), next_url: nullableText, resources: Type.Array(key) })
const paging = { limit: Type.Optional(Type.Integer({ minimum: 1 })), start: optionalText }

export const keyContract = {
  createResourceKey: {
    method: 'POST',
    path: '/v2/resource_keys',
    summary: 'Makes a service credential; with HMAC keys where its parameters say so',
    action: 'resource-controller.credential.create',
    body: Type.Object(
      {
        name: resourceName,
        source: Type.String({ minLength: 1, maxLength: 500 }),
        parameters: Type.Optional(
          Type.Object({ HMAC: Type.Optional(Type.Boolean()), serviceid_crn: Type.Optional(Type.Unknown()) }, open),
        ),
        role: optionalText,
      },
      open,
    ),
    status: 201,
    reply: key,
  },
  listResourceKeys: {
    method: 'GET',
    path: '/v2/resource_keys',
    summary: 'Lists the service credentials of the account',
    action: 'resource-controller.credential.retrieve',
    query: Type.Object({
      ...paging,
      guid: optionalText,
      name: optionalText,
      resource_group_id: optionalText,
      resource_id: optionalText,
    }),
    status: 200,
    reply: page,
  },
  listResourceKeysForInstance: {
    method: 'GET',
    path: '/v2/resource_instances/{id}/resource_keys',
    summary: 'Lists the service credentials of a service instance',
    action: 'resource-controller.credential.retrieve',
    query: Type.Object(paging),
    status: 200,
    reply: page,
  },
  getResourceKey: {
    method: 'GET',
    path: '/v2/resource_keys/{id}',
    summary: 'Shows a service credential, by GUID or CRN',
    action: 'resource-controller.credential.retrieve',
    status: 200,
    reply: key,
  },
  updateResourceKey: {
    method: 'PATCH',
    path: '/v2/resource_keys/{id}',
    summary: 'Renames a service credential',
    action: 'resource-controller.credential.update',
    body: Type.Object({ name: resourceName }, open),
    status: 200,
    reply: key,
  },
  deleteResourceKey: {
    method: 'DELETE',
    path: '/v2/resource_keys/{id}',
    summary: 'Removes a service credential, with its service id, API key and HMAC key',
    action: 'resource-controller.credential.delete',
    status: 204,
  },
} as const satisfies Contract
