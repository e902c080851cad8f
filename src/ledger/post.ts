// Puts a notice into an account's inbox, once for each cause, and beside it a delivery for each webhook that wants it; all
// in the transaction of whoever has something to tell. Streams are woken after it.

import { makeUuid } from '#base/id.ts'
import type { Tx } from '#store/database.ts'
import type { NoticeDraft } from './notice.ts'
import type { LedgerParts } from './parts.ts'
import { insertDeliveries } from './tables-delivery.ts'
import { insertNotice } from './tables-notice.ts'

export interface Post {
  send(tx: Tx, drafts: readonly NoticeDraft[]): Promise<void>
  /** To be called after the commit. */
  wake(): void
  /** Calls back whenever something may have been sent; the returned function ends it. */
  onSent(listener: () => void): () => void
}

export function makePost({ outbox, clock, random }: Pick<LedgerParts, 'outbox' | 'clock' | 'random'>): Post {
  const listeners = new Set<() => void>()
  return {
    async send(tx, drafts) {
      for (const draft of drafts) {
        const createdAt = clock.now()
        const notice = await insertNotice(tx, { ...draft, id: makeUuid(random), createdAt })
        if (!notice) continue
        const { accountId, id: noticeId, type: noticeType, keyCrn, ownerAccountId } = notice
        await outbox.append(tx, {
          type: 'ledger.notice.sent',
          accountId,
          noticeId,
          noticeType,
          keyCrn,
          ownerAccountId,
        })
        await insertDeliveries(tx, notice, () => makeUuid(random))
      }
    },
    wake() {
      for (const listener of listeners) listener()
    },
    onSent(listener) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}
