// Roles, from inside to the wire.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import type { customRoleChange, customRoleReply, customRoleRequest, roleList, roleQuery } from './contract-roles.ts'
import type { CustomRole, NewRole } from './custom-roles.ts'
import type { Anyone } from './port.ts'
import { listedRoles } from './role-lists.ts'
import type { Role } from './roles.ts'

type CustomRoleView = Static<typeof customRoleReply>

export const customRoleView = (role: CustomRole, { baseUrl }: Anyone): CustomRoleView => ({
  id: role.id,
  name: role.name,
  display_name: role.displayName,
  ...(role.description !== null && { description: role.description }),
  actions: [...role.actions],
  crn: role.crn,
  account_id: role.accountId,
  service_name: role.serviceName,
  href: `${baseUrl}/v2/roles/${role.id}`,
  created_at: rfc3339(role.createdAt),
  created_by_id: role.createdById,
  last_modified_at: rfc3339(role.lastModifiedAt),
  last_modified_by_id: role.lastModifiedById,
})

export const roleWithEtag = (role: CustomRole, anyone: Anyone): Reply<CustomRoleView> =>
  reply(customRoleView(role, anyone), { etag: role.revision })

export const newRole = (body: Static<typeof customRoleRequest>): NewRole => ({
  accountId: body.account_id,
  name: body.name,
  serviceName: body.service_name,
  ...roleChange(body),
})

export const roleChange = (body: Static<typeof customRoleChange>) => ({
  displayName: body.display_name,
  description: body.description ?? null,
  actions: body.actions,
})

export function roleListView(
  query: Static<typeof roleQuery>,
  custom: readonly CustomRole[],
  anyone: Anyone,
): Static<typeof roleList> {
  const serviceName = query.service_name ?? null
  const { system, service } = listedRoles({
    serviceName,
    sourceServiceName: query.source_service_name ?? null,
    policyType: query.policy_type ?? null,
    serviceGroupId: query.service_group_id ?? null,
  })
  return {
    custom_roles: custom
      .filter((role) => serviceName === null || role.serviceName === serviceName)
      .map((role) => customRoleView(role, anyone)),
    service_roles: service.map(roleView),
    system_roles: system.map(roleView),
  }
}

const roleView = ({ displayName, description, actions, crn }: Role) => ({
  display_name: displayName,
  description,
  actions: [...actions],
  crn,
})
