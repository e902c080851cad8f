// The owner's side: every resource, of whatever account, that lies under a key; now, or as it was. What is shown of another
// account's resource is in docs/transparency.md, and nothing else is.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { KeyUse } from '#kms/port.ts'
import type { ResourceFacts } from '#vpc/port.ts'
import type { ledgerContract } from './contract.ts'
import { keyAsk } from './key-ask.ts'
import type { AskedByPath } from './key-ask.ts'
import { pageOf, pageRequest } from './page.ts'
import type { LedgerParts } from './parts.ts'

type Query = Static<(typeof ledgerContract)['listKeyUses']['query']>
type Answer = Static<(typeof ledgerContract)['listKeyUses']['reply']>

export type Uses = ReturnType<typeof makeUses>

export const makeUses = ({ kms, vpc, clock }: LedgerParts) => ({
  async list(context: Context, input: AskedByPath & { readonly query: Query }): Promise<Answer> {
    const { query } = input
    const key = await kms.keyForUses(keyAsk(context, input))
    const at = query.at === undefined ? null : pastTime(query.at, clock.now())
    const request = pageRequest(query)
    const { after, limit } = request
    const found = await kms.uses({ keyId: key.keyId, at, after, limit: limit + 1 })
    const path = `/keyward/v1/keys/${encodeURIComponent(key.keyCrn)}/uses`
    const { page, links } = pageOf(found, request, { context, path, query, place: (use) => use.resourceCrn })
    const facts = await vpc.facts(
      page.map((use) => use.resourceCrn),
      at,
    )
    const byCrn = new Map(facts.map((one) => [one.resourceCrn, one]))
    return {
      ...links,
      key: { id: key.keyId, crn: key.keyCrn, account_id: key.accountId },
      ...(at !== null && { at: rfc3339(at) }),
      uses: page.map((use) => useView(use, byCrn.get(use.resourceCrn))),
    }
  },
})

function pastTime(text: string, now: number): number {
  const at = Date.parse(text)
  if (at <= now) return at
  throw new Fault('invalid', 'at lies in the future, of which nothing is known', {
    target: { type: 'parameter', name: 'at' },
  })
}

const useView = (use: KeyUse, facts: ResourceFacts | undefined): Answer['uses'][number] => ({
  resource_crn: use.resourceCrn,
  kind: kindOf(use.resourceCrn),
  service: use.serviceName,
  account_id: use.accountId,
  key_version_id: use.keyVersionId,
  registered_at: rfc3339(use.registeredAt),
  size_gb: facts?.sizeGb ?? null,
  status: facts?.status ?? null,
  attached: facts?.isAttached ?? null,
  open: use.isOpen,
  last_unwrapped_at: use.lastUnwrappedAt === null ? null : rfc3339(use.lastUnwrappedAt),
  last_written_at: null,
})

/** `volume`, or the name of the service where a CRN has no type. */
export function kindOf(resourceCrn: string): string {
  const crn = parseCrn(resourceCrn)
  return crn?.resourceType || crn?.serviceName || 'resource'
}
