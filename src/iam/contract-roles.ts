// The wire of roles. Source: IBM Cloud IAM policy management API, "Roles".

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { customRoleActionsMax, policyValueLengthMax } from '#base/limits.ts'
import { madeAndChanged } from './contract-policy.ts'

const closed = { additionalProperties: false }
const text = Type.String({ minLength: 1, maxLength: policyValueLengthMax })
const actions = Type.Array(text, { minItems: 1, maxItems: customRoleActionsMax })
const description = Type.String({ maxLength: policyValueLengthMax })

const changeable = { display_name: text, description: Type.Optional(description), actions }

/** IBM Cloud IAM, "Creating custom roles": letters and digits, the first a capital; 30 of them at most. */
const roleName = Type.String({ pattern: '^[A-Z][A-Za-z0-9]{0,29}$' })

export const customRoleRequest = Type.Object(
  { ...changeable, name: roleName, account_id: text, service_name: text },
  closed,
)
export const customRoleChange = Type.Object(changeable, closed)

const roleReply = Type.Object({
  display_name: Type.String(),
  description: Type.String(),
  actions: Type.Array(Type.String()),
  crn: Type.String(),
})

export const customRoleReply = Type.Object({
  id: Type.String(),
  name: Type.String(),
  display_name: Type.String(),
  description: Type.Optional(Type.String()),
  actions: Type.Array(Type.String()),
  crn: Type.String(),
  account_id: Type.String(),
  service_name: Type.String(),
  href: Type.String(),
  ...madeAndChanged,
})

export const roleQuery = Type.Object({
  account_id: Type.Optional(Type.String()),
  service_name: Type.Optional(Type.String()),
  source_service_name: Type.Optional(Type.String()),
  policy_type: Type.Optional(Type.Union([Type.Literal('access'), Type.Literal('authorization')])),
  service_group_id: Type.Optional(Type.String()),
})

export const roleList = Type.Object({
  custom_roles: Type.Array(customRoleReply),
  service_roles: Type.Array(roleReply),
  system_roles: Type.Array(roleReply),
})

export const roleContract = {
  listRoles: {
    method: 'GET',
    path: '/v2/roles',
    summary: 'List the roles that policies may name',
    action: 'iam.customRole.read',
    query: roleQuery,
    status: 200,
    reply: roleList,
  },
  createRole: {
    method: 'POST',
    path: '/v2/roles',
    summary: 'Create a custom role',
    action: 'iam.customRole.create',
    body: customRoleRequest,
    status: 201,
    reply: customRoleReply,
  },
  getRole: {
    method: 'GET',
    path: '/v2/roles/{id}',
    summary: 'Read a custom role',
    action: 'iam.customRole.read',
    status: 200,
    reply: customRoleReply,
  },
  replaceRole: {
    method: 'PUT',
    path: '/v2/roles/{id}',
    summary: 'Change the display name, description and actions of a custom role',
    action: 'iam.customRole.update',
    body: customRoleChange,
    status: 200,
    reply: customRoleReply,
  },
  deleteRole: {
    method: 'DELETE',
    path: '/v2/roles/{id}',
    summary: 'Delete a custom role that no policy names',
    action: 'iam.customRole.delete',
    status: 204,
  },
} as const satisfies Contract
