// The use of keys across accounts, made visible to both sides, put together from its parts.

import type { Consumer } from '#events/dispatcher.ts'
import { makeCertificates } from './certificates.ts'
import type { Certificates } from './certificates.ts'
import { makeDeliveries } from './deliveries.ts'
import { makeFeed } from './feed.ts'
import { makeForeignKeys } from './foreign-keys.ts'
import type { ForeignKeys } from './foreign-keys.ts'
import { makeGrants } from './grants.ts'
import type { Grants } from './grants.ts'
import { makeImpacts } from './impact.ts'
import type { Impacts } from './impact.ts'
import { makeNotices } from './notices.ts'
import type { Notices } from './notices.ts'
import type { LedgerParts } from './parts.ts'
import { makePlans } from './plans.ts'
import type { Plans } from './plans.ts'
import { makePost } from './post.ts'
import { makeProofs } from './proof.ts'
import type { Proofs } from './proof.ts'
import { makeNoticeStreams } from './stream.ts'
import type { NoticeStreams } from './stream.ts'
import { makeUses } from './uses.ts'
import type { Uses } from './uses.ts'
import { makeWebhooks } from './webhooks.ts'
import type { Webhooks } from './webhooks.ts'

export interface Ledger {
  readonly uses: Uses
  readonly impacts: Impacts
  readonly foreignKeys: ForeignKeys
  readonly grants: Grants
  readonly proofs: Proofs
  readonly notices: Notices
  readonly streams: NoticeStreams
  readonly webhooks: Webhooks
  readonly plans: Plans
  readonly certificates: Certificates
  readonly consumers: readonly Consumer[]
  /** Ends streams, and sends no more. */
  close(): void
}

/** `wake` runs one of the consumers soon. */
export function makeLedger(given: LedgerParts & { readonly wake: (consumer: string) => void }): Ledger {
  const wakeDeliveries = () => given.wake('ledger.deliveries')
  const post = makePost(given)
  const parts = { ...given, post, wakeDeliveries }
  const plans = makePlans(parts)
  const proofs = makeProofs(parts)
  const streams = makeNoticeStreams(parts)
  const deliveries = makeDeliveries({ ...given, wake: wakeDeliveries })
  return {
    uses: makeUses(parts),
    impacts: makeImpacts(parts),
    foreignKeys: makeForeignKeys(parts),
    grants: makeGrants(parts),
    proofs,
    notices: makeNotices(parts),
    streams,
    webhooks: makeWebhooks(parts),
    plans,
    certificates: makeCertificates(parts),
    consumers: [makeFeed(parts, { post, plans }), deliveries.consumer, proofs.consumer],
    close() {
      streams.close()
      deliveries.close()
    },
  }
}
