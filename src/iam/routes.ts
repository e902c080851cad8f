// Operation to method, one line each.

import type { Routes } from '#base/contract.ts'
import { identityTypesOf, settingsWithEtag } from './access-settings-view.ts'
import type { explainContract } from './contract-access.ts'
import type { policyContract } from './contract.ts'
import { answerView, questionOf } from './explanation-view.ts'
import type { Iam } from './iam.ts'
import type { Anyone, Context } from './port.ts'
import { roleChange, roleListView, newRole, roleWithEtag } from './role-views.ts'
import { groupRoutes } from './routes-groups.ts'
import { policyRoutesV1, policyRoutesV2 } from './routes-policy.ts'

export function policyRoutes(iam: Iam): Routes<typeof policyContract, Context, Anyone> {
  const { customRoles, accessSettings } = iam
  return {
    ...policyRoutesV1(iam),
    ...policyRoutesV2(iam),
    ...groupRoutes(iam),
    listRoles: async (context, { query }) =>
      roleListView(query, query.account_id ? await customRoles.list(context, query.account_id) : [], context),
    createRole: async (context, { body }) => roleWithEtag(await customRoles.create(context, newRole(body)), context),
    getRole: async (context, { path }) => roleWithEtag(await customRoles.get(context, path.id), context),
    replaceRole: async (context, { path, body, headers }) =>
      roleWithEtag(
        await customRoles.replace(context, path.id, { ...roleChange(body), ifMatch: headers['if-match'] }),
        context,
      ),
    deleteRole: (context, { path }) => customRoles.delete(context, path.id),
    getSettings: async (context, { path }) => settingsWithEtag(await accessSettings.get(context, path.account_id)),
    updateSettings: async (context, { path, body, headers }) =>
      settingsWithEtag(
        await accessSettings.update(context, path.account_id, {
          ifMatch: headers['if-match'],
          patch: identityTypesOf(body),
        }),
      ),
  }
}

export const explainRoutes = ({ explanations }: Iam): Routes<typeof explainContract, Context, Anyone> => ({
  explainDecision: async (context, { body }) => answerView(await explanations.ask(context, questionOf(body))),
})
