// The blast radius of an action on a key: what refuses it, whose resources it would reach, running I/O included, and what
// each would become. The key manager answers for the key by the rules that the action obeys, block storage for its volumes
// by the table that gives them their status. Nothing is changed.

import type { Static } from 'typebox'
import type { Context } from '#iam/port.ts'
import type { KeyImpact, KeyStanding, KeyUse } from '#kms/port.ts'
import type { ResourceFacts } from '#vpc/port.ts'
import type { ledgerContract } from './contract.ts'
import { keyAsk } from './key-ask.ts'
import type { AskedByPath } from './key-ask.ts'
import { pageOf, pageRequest } from './page.ts'
import type { PageQuery } from './page.ts'
import type { LedgerParts } from './parts.ts'
import { kindOf } from './uses.ts'

type Body = Static<(typeof ledgerContract)['foreseeImpact']['body']>
type Answer = Static<(typeof ledgerContract)['foreseeImpact']['reply']>

export type Impacts = ReturnType<typeof makeImpacts>

export const makeImpacts = ({ kms, vpc }: Pick<LedgerParts, 'kms' | 'vpc'>) => ({
  async foresee(
    context: Context,
    input: AskedByPath & { readonly body: Body; readonly query: PageQuery },
  ): Promise<Answer> {
    const { body, query } = input
    const { key, stateAfter, refusals, groups } = await kms.impact(
      keyAsk(context, input),
      body.action,
      body.policy_id ?? null,
    )
    const request = pageRequest(query)
    const found = await kms.uses({ keyId: key.keyId, at: null, after: request.after, limit: request.limit + 1 })
    const path = `/keyward/v1/keys/${encodeURIComponent(key.keyCrn)}/impact`
    const { page, links } = pageOf(found, request, { context, path, query, place: (use) => use.resourceCrn })
    const facts = await vpc.facts(
      page.map((use) => use.resourceCrn),
      null,
    )
    const after = await vpc.statusUnder(
      page.map(({ resourceCrn, ...use }) => ({ resourceCrn, standing: standingOf(groups, use) })),
    )
    const factsByCrn = new Map(facts.map((one) => [one.resourceCrn, one]))
    const statusByCrn = new Map(after.map((one) => [one.resourceCrn, one.status]))
    return {
      ...links,
      action: body.action,
      key: { id: key.keyId, crn: key.keyCrn, account_id: key.accountId },
      state: key.state,
      state_after: stateAfter,
      refusals: refusals.map(({ code, message, isForceable }) => ({ code, message, forceable: isForceable })),
      accounts: groups.map(groupView),
      resources: page.map((use) =>
        resourceView(use, factsByCrn.get(use.resourceCrn), statusByCrn.get(use.resourceCrn)),
      ),
    }
  },
})

/** A registration that came after its group was counted stands where it would if nothing happened. */
const standingOf = (
  groups: KeyImpact['groups'],
  { accountId, serviceName }: Pick<KeyUse, 'accountId' | 'serviceName'>,
): KeyStanding =>
  groups.find((group) => group.accountId === accountId && group.serviceName === serviceName)?.after ?? 'usable'

const groupView = (group: KeyImpact['groups'][number]): Answer['accounts'][number] => ({
  account_id: group.accountId,
  service: group.serviceName,
  resources: group.resourceCount,
  open: group.openCount,
  key_before: group.before,
  key_after: group.after,
})

const resourceView = (
  use: KeyUse,
  facts: ResourceFacts | undefined,
  statusAfter: string | undefined,
): Answer['resources'][number] => ({
  resource_crn: use.resourceCrn,
  kind: kindOf(use.resourceCrn),
  account_id: use.accountId,
  size_gb: facts?.sizeGb ?? null,
  attached: facts?.isAttached ?? null,
  open: use.isOpen === true,
  status: facts?.status ?? null,
  status_after: statusAfter ?? null,
})
