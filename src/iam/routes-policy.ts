// Policies: operation to method, one line each, for both versions of the API.

import type { Routes } from '#base/contract.ts'
import { boundedDraft } from './bounds-parse.ts'
import type { policyContractV2 } from './contract-policy-v2.ts'
import type { policyContractV1 } from './contract-policy.ts'
import type { Iam } from './iam.ts'
import { parsePolicyQuery } from './policy-list.ts'
import { parsePolicyV2 } from './policy-parse-v2.ts'
import { parsePolicy, replacedInVersion1 } from './policy-parse.ts'
import { policyListViewV2, policyV2WithEtag } from './policy-view-v2.ts'
import { policyListView, policyWithEtag } from './policy-view.ts'
import type { Policy } from './policy.ts'
import type { Anyone, Context } from './port.ts'

export function policyRoutesV1({ policies, customRoles }: Iam): Routes<typeof policyContractV1, Context, Anyone> {
  const words = customRoles.words
  return {
    createPolicy: async (context, { body }) => {
      const policy = await policies.create(context, boundedDraft(parsePolicy(body), body.bounds))
      return policyWithEtag(policy, context, await words(policy.accountId))
    },
    listPolicies: async (context, { query }) =>
      policyListView(
        await policies.list(context, query.account_id, parsePolicyQuery(query)),
        query,
        context,
        await words(query.account_id),
      ),
    getPolicy: async (context, { path }) => {
      const policy = await policies.get(context, path.id)
      return policyWithEtag(policy, context, await words(policy.accountId))
    },
    replacePolicy: async (context, { path, body, headers }) => {
      const parsed = replacedInVersion1(parsePolicy(body))
      const draft = (before: Policy) => boundedDraft(parsed(before), body.bounds, before)
      const policy = await policies.replace(context, path.id, { ifMatch: headers['if-match'], draft })
      return policyWithEtag(policy, context, await words(policy.accountId))
    },
    updatePolicyState: async (context, { path, headers }) => {
      const policy = await policies.restore(context, path.id, headers['if-match'])
      return policyWithEtag(policy, context, await words(policy.accountId))
    },
    deletePolicy: (context, { path }) => policies.delete(context, path.id),
  }
}

export function policyRoutesV2({ policies, customRoles }: Iam): Routes<typeof policyContractV2, Context, Anyone> {
  const words = async (accountId: string, format: string | undefined) =>
    format === 'display' ? await customRoles.words(accountId) : null
  return {
    createV2Policy: async (context, { body }) =>
      policyV2WithEtag(await policies.create(context, boundedDraft(parsePolicyV2(body), body.bounds)), context, null),
    listV2Policies: async (context, { query }) =>
      policyListViewV2(
        await policies.list(context, query.account_id, parsePolicyQuery(query)),
        query,
        context,
        await words(query.account_id, query.format),
      ),
    getV2Policy: async (context, { path, query }) => {
      const policy = await policies.get(context, path.id, query.format === 'include_last_permit')
      return policyV2WithEtag(policy, context, await words(policy.accountId, query.format))
    },
    replaceV2Policy: async (context, { path, body, headers }) => {
      const parsed = parsePolicyV2(body)
      const draft = (before: Policy) => boundedDraft(parsed, body.bounds, before)
      return policyV2WithEtag(
        await policies.replace(context, path.id, { ifMatch: headers['if-match'], draft }),
        context,
        null,
      )
    },
    deleteV2Policy: (context, { path }) => policies.delete(context, path.id),
  }
}
