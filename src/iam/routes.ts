// Operation to method, one line each.

import type { Routes } from '#base/contract.ts'
import type { identityContract, policyContract } from './contract.ts'
import { clientIdOf } from './client-id.ts'
import type { Iam } from './iam.ts'
import { parsePolicyQuery } from './policy-list.ts'
import { parsePolicy } from './policy-parse.ts'
import type { Anyone, Context } from './port.ts'
import { openidView, policyListView, policyWithEtag, tokenView } from './views.ts'

export function identityRoutes({ tokens }: Iam): Routes<typeof identityContract, Context, Anyone> {
  const issue = async (body: { grant_type: string; apikey?: string }, authorization: string | undefined) =>
    tokenView(
      await tokens.issue({ grantType: body.grant_type, apiKey: body.apikey, clientId: clientIdOf(authorization) }),
    )
  const keys = async () => ({ keys: [...tokens.publicJwks()] })
  return {
    createToken: (_, { body, headers }) => issue(body, headers['authorization']),
    createTokenOldPath: (_, { body, headers }) => issue(body, headers['authorization']),
    listSigningKeys: keys,
    listSigningKeysOldPath: keys,
    getOpenidConfiguration: async (anyone) => openidView(anyone),
  }
}

export function policyRoutes({ policies }: Iam): Routes<typeof policyContract, Context, Anyone> {
  return {
    createPolicy: async (context, { body }) =>
      policyWithEtag(await policies.create(context, parsePolicy(body)), context),
    listPolicies: async (context, { query }) =>
      policyListView(await policies.list(context, query.account_id, parsePolicyQuery(query)), query, context),
    getPolicy: async (context, { path }) => policyWithEtag(await policies.get(context, path.id), context),
    deletePolicy: (context, { path }) => policies.delete(context, path.id),
  }
}
