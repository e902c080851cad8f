// Sends what is due to webhooks, at least once: what was sent and not written down before a kill is sent again, under the
// same id. What fails is tried again, later each time; what has failed often enough is dead until somebody drives it again.

import { assert } from '#base/assert.ts'
import { webhookDeliveriesParallelMax, webhookDuePage, webhookRetryMs } from '#base/limits-ledger.ts'
import type { Consumer } from '#events/dispatcher.ts'
import { cloudEvent } from './notice.ts'
import type { Notice } from './notice.ts'
import type { LedgerParts } from './parts.ts'
import { postpone, selectDueOf, selectDueWebhooks, selectNextDue, setAttempted } from './tables-delivery.ts'
import type { Delivery } from './tables-delivery.ts'
import { selectNotice } from './tables-notice.ts'
import { selectWebhookForDelivery } from './tables-webhook.ts'
import type { Webhook } from './tables-webhook.ts'
import { secretPurpose, selectSecrets } from './tables-webhook-secret.ts'
import { send } from './webhook-send.ts'
import type { Sent } from './webhook-send.ts'
import { systemResolve } from './webhook-target.ts'

export interface Deliveries {
  readonly consumer: Consumer
  close(): void
}

export function makeDeliveries(parts: LedgerParts & { readonly wake: () => void }): Deliveries {
  const { database, outbox, clock, realClock, random, sealer, allowPrivateWebhooks, wake } = parts
  const ending = new AbortController()
  let cancelTimer: () => void = () => {}

  /** Webhooks side by side, what is due to each in a row: one that hangs keeps one place and nobody's order. */
  async function sendDue(): Promise<void> {
    while (!ending.signal.aborted) {
      const due = await selectDueWebhooks(database.reads, clock.now(), webhookDuePage)
      if (due.length === 0) return
      const queue = due.values()
      const worker = async (): Promise<void> => {
        for (const webhookId of queue) await drain(webhookId)
      }
      await Promise.all(Array.from({ length: webhookDeliveriesParallelMax }, worker))
    }
  }

  async function drain(webhookId: string): Promise<void> {
    while (!ending.signal.aborted) {
      const delivery = await selectDueOf(database.reads, webhookId, clock.now())
      const webhook = delivery && (await selectWebhookForDelivery(database.reads, webhookId))
      if (!delivery || !webhook?.isEnabled) return
      const notice = await selectNotice(database.reads, delivery.noticeId)
      assert(notice, 'notices stay')
      const sent = await sendSigned(webhook, notice)
      // Broken off by our own end: it has not been tried.
      if (ending.signal.aborted) return
      await database.transaction((tx) => note(tx, webhook, notice, delivery, sent))
    }
  }

  async function sendSigned(webhook: Webhook, notice: Notice): Promise<Sent> {
    const sealed = await selectSecrets(database.reads, webhook.id, clock.now())
    const secrets = sealed.map((secret) => sealer.open(secretPurpose(secret.id), secret.sealed))
    try {
      return await send({
        url: webhook.url,
        id: notice.id,
        body: JSON.stringify(cloudEvent(notice)),
        secrets,
        allowPrivate: allowPrivateWebhooks,
        resolve: systemResolve,
        signal: ending.signal,
        now: realClock.now(),
      })
    } finally {
      for (const secret of secrets) secret.fill(0)
    }
  }

  async function note(
    tx: Parameters<typeof setAttempted>[0],
    webhook: Webhook,
    notice: Notice,
    delivery: Delivery,
    sent: Sent,
  ): Promise<void> {
    const now = clock.now()
    const status = 'status' in sent ? sent.status : null
    const isTaken = status !== null && status >= 200 && status < 300
    const waitMs = status === gone ? undefined : webhookRetryMs[delivery.attempts]
    const state = isTaken ? 'delivered' : waitMs === undefined ? 'dead' : 'pending'
    const problem = 'problem' in sent ? sent.problem : isTaken ? null : `the receiver answered ${status}`
    const nextAt = now + (waitMs === undefined ? 0 : spread(waitMs))
    const after = { state, nextAt, lastAt: now, lastStatus: status, lastProblem: problem } as const
    if (!(await setAttempted(tx, delivery, after))) return
    if (state === 'pending') return await postpone(tx, webhook.id, nextAt)
    if (state === 'dead') await postpone(tx, webhook.id, now + (webhookRetryMs[0] ?? 0))
    await outbox.append(tx, {
      type: state === 'delivered' ? 'ledger.webhook.delivered' : 'ledger.webhook.gave-up',
      accountId: notice.accountId,
      noticeId: notice.id,
      noticeType: notice.type,
      webhookId: webhook.id,
      attempts: delivery.attempts + 1,
      keyCrn: notice.keyCrn,
      ownerAccountId: notice.ownerAccountId,
    })
  }

  /** Up to a tenth later: receivers that come back are not met by all that waited at once. */
  const spread = (ms: number): number => Math.round(ms * (1 + (random.bytes(1)[0] ?? 0) / 2560))

  return {
    consumer: {
      name: 'ledger.deliveries',
      types: ['ledger.notice.sent'],
      async reconcile() {
        cancelTimer()
        await sendDue()
        const next = await selectNextDue(database.reads)
        if (next !== null && !ending.signal.aborted) cancelTimer = clock.after(Math.max(next - clock.now(), 0), wake)
      },
    },
    close() {
      cancelTimer()
      ending.abort()
    },
  }
}

/** Standard Webhooks: a receiver that answers so wants no more of it. */
const gone = 410
