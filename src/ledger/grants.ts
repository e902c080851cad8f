// The owner's side of bounded authorizations: what each lends to whom, how much of it is used, and what has been refused by
// it or, where it only watches, would have been. The account that it is for sees the same of it (foreign-keys.ts).

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import type { BoundedAuthorization, Context, PassedTally } from '#iam/port.ts'
import type { KeyLedgerPort } from '#kms/port.ts'
import { authorizeOwn } from './access.ts'
import type { ledgerContract } from './contract.ts'
import { pageOf, pageRequest } from './page.ts'
import type { LedgerParts } from './parts.ts'

type Query = Static<(typeof ledgerContract)['listGrants']['query']>
type Answer = Static<(typeof ledgerContract)['listGrants']['reply']>
type View = Answer['grants'][number]

export type Grants = ReturnType<typeof makeGrants>

export const makeGrants = ({ iam, authorizations, kms }: LedgerParts) => ({
  async list(context: Context, query: Query): Promise<Answer> {
    const { target } = await authorizeOwn(iam, context, 'keyward.grants.list', query)
    const { accountId } = target
    const request = pageRequest(query)
    const found = await authorizations.bounded(accountId, request.after, request.limit + 1)
    const link = { context, path: '/keyward/v1/grants', query, place: (one: BoundedAuthorization) => one.policyId }
    const { page, links } = pageOf(found, request, link)
    return {
      ...links,
      grants: await Promise.all(
        page.map(async (one) => ({
          policy_id: one.policyId,
          service: one.serviceName,
          account_id: one.subjectAccountId,
          enforced: one.isEnforced,
          ended: one.hasEnded,
          ...(await boundsView(kms, one, accountId)),
        })),
      ),
    }
  },
})

export async function boundsView(
  kms: Pick<KeyLedgerPort, 'amounts'>,
  { bounds, subjectAccountId, refused, watched, covers }: BoundedAuthorization,
  ownerAccountId: string,
): Promise<Pick<View, 'bounds' | 'used' | 'refused' | 'watched'>> {
  const { volumes, capacityGb } = await kms.amounts({ ownerAccountId, accountId: subjectAccountId, covers })
  return {
    bounds,
    used: { volumes, capacity_gb: capacityGb },
    refused: refused && tallyView(refused),
    watched: watched && tallyView(watched),
  }
}

export const unbounded = { bounds: null, used: null, refused: null, watched: null }

const tallyView = (tally: PassedTally): NonNullable<View['refused']> => ({
  count: tally.count,
  last: {
    at: rfc3339(tally.lastAt),
    bound: tally.lastBound,
    action: tally.lastAction,
    account_id: tally.lastAccountId,
    service: tally.lastService,
    key_id: tally.lastResource,
  },
})
