// The inbox of an account: what it was told about keys that its resources depend on, and what it says to that. Reading and
// answering leave their record in both accounts.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { authorizeOwn } from './access.ts'
import type { noticeContract } from './contract-notices.ts'
import { cloudEvent } from './notice.ts'
import type { Notice } from './notice.ts'
import { pageOf, pageRequest } from './page.ts'
import type { LedgerParts } from './parts.ts'
import { selectNotice, selectNotices, selectPlace, setAcknowledged, setRead } from './tables-notice.ts'
import { selectAnswers, selectPlan, writeAnswer } from './tables-plan.ts'

type Query = Static<(typeof noticeContract)['listNotices']['query']>
type List = Static<(typeof noticeContract)['listNotices']['reply']>
type View = Static<(typeof noticeContract)['getNotice']['reply']>
type Saying = Static<(typeof noticeContract)['acknowledgeNotice']['body']>

export type Notices = ReturnType<typeof makeNotices>

export function makeNotices({ database, outbox, clock, iam }: LedgerParts) {
  /** A notice of another account is not there, but for whom that account permits. */
  async function noticeFor({ caller }: Context, id: string): Promise<Notice> {
    const notice = await selectNotice(database.reads, id)
    if (!notice) throw noticeNotFound(id)
    const target = { accountId: notice.accountId, serviceName: 'keyward' }
    if (!(await iam.decide(caller, 'keyward.notices.read', target)).permitted) throw noticeNotFound(id)
    return notice
  }

  async function list(context: Context, query: Query): Promise<List> {
    const { target } = await authorizeOwn(iam, context, 'keyward.notices.read', query)
    const { accountId } = target
    const request = pageRequest(query)
    const before = request.after === '' ? null : await placeOf(accountId, request.after)
    const filter = {
      accountId,
      ...(query.type !== undefined && { type: query.type }),
      ...(query.unread !== undefined && { isUnread: query.unread }),
      ...(query.unacknowledged !== undefined && { isUnacknowledged: query.unacknowledged }),
    }
    const found = await selectNotices(database.reads, filter, { before, limit: request.limit + 1 })
    const link = { context, path: '/keyward/v1/notices', query, place: (notice: Notice) => notice.id }
    const { page, links } = pageOf(found, request, link)
    return { ...links, notices: page.map(view) }
  }

  async function placeOf(accountId: string, id: string): Promise<number> {
    const place = await selectPlace(database.reads, accountId, id)
    if (place !== null) return place
    throw new Fault('invalid', 'start is not a token of this list', { target: { type: 'parameter', name: 'start' } })
  }

  async function read(context: Context, id: string): Promise<View> {
    const notice = await noticeFor(context, id)
    await database.transaction(async (tx) => {
      if (await setRead(tx, id, clock.now())) {
        await outbox.append(tx, { type: 'ledger.notice.read', ...eventFacts(context, notice) })
      }
    })
    return view((await selectNotice(database.reads, id)) ?? notice)
  }

  async function acknowledge(context: Context, id: string, saying: Saying | undefined): Promise<View> {
    const notice = await noticeFor(context, id)
    await authorizeOwn(iam, context, 'keyward.notices.acknowledge', { account_id: notice.accountId })
    const answer = saying?.answer ?? 'acknowledged'
    const reason = saying?.reason ?? null
    requireAnswerable(notice, answer, reason)
    await database.transaction(async (tx) => {
      const now = clock.now()
      const by = context.caller.iamId
      await setRead(tx, id, now)
      const isFirst = await setAcknowledged(tx, id, by, now)
      const isNews = notice.type === 'action.planned' && (await answerPlan(tx, notice, { answer, reason, by, now }))
      if (!isFirst && !isNews) return
      const type = answer === 'objected' ? 'ledger.notice.objected' : 'ledger.notice.acknowledged'
      await outbox.append(tx, { type, ...eventFacts(context, notice), ...(reason !== null && { reason }) })
    })
    return view((await selectNotice(database.reads, id)) ?? notice)
  }

  /** Whether it is another answer than before. The account is the notice's: nobody answers for another. */
  async function answerPlan(
    tx: Tx,
    { planId, accountId }: Notice,
    said: { answer: 'acknowledged' | 'objected'; reason: string | null; by: string; now: number },
  ): Promise<boolean> {
    const plan = planId === null ? null : await selectPlan(tx, planId)
    if (!plan || planId === null || plan.state !== 'announced') {
      throw new Fault('conflict', 'the plan has ended: nothing waits for an answer', { reason: 'plan_ended' })
    }
    const before = (await selectAnswers(tx, planId)).find((one) => one.accountId === accountId)
    if (before?.answer === said.answer && before.reason === said.reason) return false
    const { answer, reason, by: answeredBy, now: answeredAt } = said
    await writeAnswer(tx, planId, { accountId, answer, reason, answeredAt, answeredBy })
    return true
  }

  return {
    list,
    read,
    acknowledge,
    get: async (context: Context, id: string): Promise<View> => view(await noticeFor(context, id)),
  }
}

function requireAnswerable(notice: Notice, answer: string, reason: string | null): void {
  if (answer !== 'objected') return
  if (notice.type !== 'action.planned') {
    const message = 'what has been done is acknowledged: objections are for planned actions'
    throw new Fault('invalid', message, { target: { type: 'field', name: 'answer' } })
  }
  if (reason === null) {
    throw new Fault('invalid', 'an objection has a reason', { target: { type: 'field', name: 'reason' } })
  }
}

const eventFacts = ({ caller }: Context, notice: Notice) => ({
  accountId: notice.accountId,
  initiatorId: caller.iamId,
  noticeId: notice.id,
  noticeType: notice.type,
  keyCrn: notice.keyCrn,
  ownerAccountId: notice.ownerAccountId,
})

const view = (notice: Notice): View => ({
  id: notice.id,
  account_id: notice.accountId,
  type: notice.type,
  created_at: rfc3339(notice.createdAt),
  read_at: notice.readAt === null ? null : rfc3339(notice.readAt),
  acknowledged_at: notice.acknowledgedAt === null ? null : rfc3339(notice.acknowledgedAt),
  acknowledged_by: notice.acknowledgedBy,
  event: cloudEvent(notice),
})

const noticeNotFound = (id: string): Fault =>
  new Fault('not_found', `there is no notice ${JSON.stringify(id.slice(0, 64))} in your account`)
