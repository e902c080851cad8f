// Webhooks of an account: where its notices go by themselves, signed with a secret that we make, show once and keep sealed.
// A replaced secret signs beside the new one for a day, so that a receiver can change over without losing any.
// Source: Standard Webhooks, "Signature scheme" (secrets), "Zero downtime secret rotation".

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { webhookSecretBytes, webhookSecretOverlapMs, webhooksPerAccountMax } from '#base/limits-ledger.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { authorizeOwn } from './access.ts'
import type { OfAccount } from './access.ts'
import type { webhookContract } from './contract-webhooks.ts'
import { momentOf, pageOf, pageRequest, placeOfMoment } from './page.ts'
import type { LedgerParts } from './parts.ts'
import { deleteDeliveries, selectDeliveries, setRedriven } from './tables-delivery.ts'
import type { Delivery } from './tables-delivery.ts'
import { deleteWebhook, insertWebhook, selectWebhook, selectWebhooks, updateWebhook } from './tables-webhook.ts'
import type { Webhook } from './tables-webhook.ts'
import { deleteSecrets, insertSecret, secretPurpose } from './tables-webhook-secret.ts'
import { parseTarget } from './webhook-target.ts'

type Contract = typeof webhookContract
type View = Static<Contract['getWebhook']['reply']>
type MadeView = Static<Contract['createWebhook']['reply']>
type DeliveryQuery = Static<Contract['listWebhookDeliveries']['query']>

export type Webhooks = ReturnType<typeof makeWebhooks>

export function makeWebhooks(parts: LedgerParts & { readonly wakeDeliveries: () => void }) {
  const { database, outbox, clock, random, sealer, iam, allowPrivateWebhooks, wakeDeliveries } = parts
  const reading = (context: Context, query: OfAccount) => authorizeOwn(iam, context, 'keyward.webhooks.read', query)
  const writing = (context: Context, query: OfAccount) => authorizeOwn(iam, context, 'keyward.webhooks.write', query)

  async function webhookFor(grant: Grant<'keyward.webhooks.read' | 'keyward.webhooks.write'>, id: string, tx?: Tx) {
    const webhook = await selectWebhook(tx ?? database.reads, grant, id)
    if (!webhook) throw new Fault('not_found', `there is no webhook ${JSON.stringify(id.slice(0, 64))}`)
    return webhook
  }

  /** The secret as it is shown, this once. */
  async function makeSecret(tx: Tx, webhookId: string, now: number): Promise<string> {
    const secret = random.bytes(webhookSecretBytes)
    const id = makeUuid(random)
    const sealed = sealer.seal(secretPurpose(id), secret)
    const others = { retireAt: now + webhookSecretOverlapMs, now }
    await insertSecret(tx, { id, webhookId, sealed, createdAt: now }, others)
    const shown = `whsec_${Buffer.from(secret).toString('base64')}`
    secret.fill(0)
    return shown
  }

  async function create(
    context: Context,
    query: OfAccount,
    body: Static<Contract['createWebhook']['body']>,
  ): Promise<MadeView> {
    const grant = await writing(context, query)
    const webhook: Webhook = {
      id: makeUuid(random),
      accountId: grant.target.accountId,
      url: parseTarget(body.url, allowPrivateWebhooks).href,
      description: body.description ?? '',
      types: body.types ?? null,
      isEnabled: body.enabled ?? true,
      createdAt: clock.now(),
      createdBy: context.caller.iamId,
    }
    const secret = await database.transaction(async (tx) => {
      if ((await selectWebhooks(tx, grant)).length >= webhooksPerAccountMax) throw tooMany()
      await insertWebhook(tx, grant, webhook)
      await tell(tx, 'ledger.webhook.created', context, webhook)
      return await makeSecret(tx, webhook.id, webhook.createdAt)
    })
    return { ...view(webhook), secret }
  }

  async function update(
    context: Context,
    id: string,
    query: OfAccount,
    body: Static<Contract['updateWebhook']['body']>,
  ): Promise<View> {
    const grant = await writing(context, query)
    const url = body.url === undefined ? undefined : parseTarget(body.url, allowPrivateWebhooks).href
    const webhook = await database.transaction(async (tx) => {
      const before = await webhookFor(grant, id, tx)
      const after: Webhook = {
        ...before,
        url: url ?? before.url,
        description: body.description ?? before.description,
        types: body.types === undefined ? before.types : body.types,
        isEnabled: body.enabled ?? before.isEnabled,
      }
      await updateWebhook(tx, grant, after)
      await tell(tx, 'ledger.webhook.updated', context, after)
      return after
    })
    wakeDeliveries()
    return view(webhook)
  }

  async function remove(context: Context, id: string, query: OfAccount): Promise<void> {
    const grant = await writing(context, query)
    await database.transaction(async (tx) => {
      const webhook = await webhookFor(grant, id, tx)
      await deleteDeliveries(tx, id)
      await deleteSecrets(tx, id)
      await deleteWebhook(tx, grant, id)
      await tell(tx, 'ledger.webhook.deleted', context, webhook)
    })
  }

  async function rotateSecret(context: Context, id: string, query: OfAccount): Promise<MadeView> {
    const grant = await writing(context, query)
    return await database.transaction(async (tx) => {
      const webhook = await webhookFor(grant, id, tx)
      const secret = await makeSecret(tx, id, clock.now())
      await tell(tx, 'ledger.webhook.secret-rotated', context, webhook)
      return { ...view(webhook), secret }
    })
  }

  async function deliveries(context: Context, id: string, query: DeliveryQuery) {
    const webhook = await webhookFor(await reading(context, query), id)
    const request = pageRequest(query)
    const filter = { state: query.state ?? null, before: momentOf(request), limit: request.limit + 1 }
    const found = await selectDeliveries(database.reads, webhook.id, filter)
    const link = { context, path: `/keyward/v1/webhooks/${webhook.id}/deliveries`, query, place: placeOfMoment }
    const { page, links } = pageOf(found, request, link)
    return { ...links, deliveries: page.map(deliveryView) }
  }

  async function redrive(context: Context, id: string, deliveryId: string, query: OfAccount): Promise<void> {
    const webhook = await webhookFor(await writing(context, query), id)
    await database.transaction(async (tx) => {
      if (await setRedriven(tx, webhook.id, deliveryId, clock.now())) return
      throw new Fault(
        'not_found',
        `webhook ${webhook.id} has no dead delivery ${JSON.stringify(deliveryId.slice(0, 64))}`,
      )
    })
    wakeDeliveries()
  }

  const tell = (
    tx: Tx,
    type: `ledger.webhook.${'created' | 'updated' | 'deleted' | 'secret-rotated'}`,
    { caller }: Context,
    { id: webhookId, accountId }: Webhook,
  ) => outbox.append(tx, { type, accountId, initiatorId: caller.iamId, webhookId })

  return {
    create,
    update,
    remove,
    rotateSecret,
    deliveries,
    redrive,
    async list(context: Context, query: OfAccount) {
      return { webhooks: (await selectWebhooks(database.reads, await reading(context, query))).map(view) }
    },
    async get(context: Context, id: string, query: OfAccount): Promise<View> {
      return view(await webhookFor(await reading(context, query), id))
    },
  }
}

const view = (webhook: Webhook): View => ({
  id: webhook.id,
  account_id: webhook.accountId,
  url: webhook.url,
  description: webhook.description,
  types: webhook.types && [...webhook.types],
  enabled: webhook.isEnabled,
  created_at: rfc3339(webhook.createdAt),
  created_by: webhook.createdBy,
})

const deliveryView = (one: Delivery) => ({
  id: one.id,
  notice_id: one.noticeId,
  state: one.state,
  attempts: one.attempts,
  created_at: rfc3339(one.createdAt),
  next_at: one.state === 'pending' ? rfc3339(one.nextAt) : null,
  last_at: one.lastAt === null ? null : rfc3339(one.lastAt),
  last_status: one.lastStatus,
  last_problem: one.lastProblem,
})

const tooMany = (): Fault =>
  new Fault('conflict', `an account has at most ${webhooksPerAccountMax} webhooks`, { reason: 'over_quota' })
