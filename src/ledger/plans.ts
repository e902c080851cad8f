// Planned actions. The owner of a key announces what he means to do; every account whose resources lie under it is told
// and answers; he goes on when the time has come and all agree, or breaks the glass and says why. Nothing is done by
// itself: docs/decisions, "Planned actions are announced, and done by a person".

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { openPlansPerKeyMax, planAheadMsMax } from '#base/limits-ledger.ts'
import type { Event } from '#events/event.ts'
import type { HappenedEvent } from '#events/outbox.ts'
import type { Context } from '#iam/port.ts'
import type { PlannableAction } from '#kms/port.ts'
import type { Tx } from '#store/database.ts'
import type { ledgerContract } from './contract.ts'
import { momentOf, pageOf, pageRequest, placeOfMoment } from './page.ts'
import type { PageQuery } from './page.ts'
import type { LedgerParts } from './parts.ts'
import { planFacts, standsAgainst } from './plan.ts'
import type { Concerned, Plan } from './plan.ts'
import type { Post } from './post.ts'
import {
  endPlan,
  insertPlan,
  selectAnswers,
  selectOpenPlans,
  selectPlan,
  selectPlansOfKey,
  selectTold,
} from './tables-plan.ts'
import { draftFor, usersAt } from './users.ts'
import { keyAsk } from './key-ask.ts'
import type { AskedByPath } from './key-ask.ts'

type Announced = Static<(typeof ledgerContract)['announcePlan']['body']>
type Proceeding = Static<(typeof ledgerContract)['proceedWithPlan']['body']>
type View = Static<(typeof ledgerContract)['getPlan']['reply']>
type List = Static<(typeof ledgerContract)['listPlans']['reply']>

export type Plans = ReturnType<typeof makePlans>

export function makePlans(parts: LedgerParts & { readonly post: Post }) {
  const { database, outbox, clock, random, kms, post } = parts

  async function concernedBy(plan: Plan): Promise<readonly Concerned[]> {
    const answers = new Map((await selectAnswers(database.reads, plan.id)).map((one) => [one.accountId, one]))
    const users = await usersAt(parts, plan.keyCrn, null)
    return users.map(({ accountId, resourceCount }) => ({
      accountId,
      resourceCount,
      answer: answers.get(accountId) ?? null,
    }))
  }

  async function view(plan: Plan): Promise<View> {
    const concerned = await concernedBy(plan)
    return {
      id: plan.id,
      action: plan.action,
      key_crn: plan.keyCrn,
      owner_account_id: plan.ownerAccountId,
      reason: plan.reason,
      planned_at: rfc3339(plan.plannedAt),
      state: plan.state,
      created_at: rfc3339(plan.createdAt),
      created_by: plan.createdBy,
      ended_at: plan.endedAt === null ? null : rfc3339(plan.endedAt),
      stands_against: plan.state === 'announced' ? [...standsAgainst(plan, concerned, clock.now())] : [],
      accounts: concerned.map(({ accountId, resourceCount, answer }) => ({
        account_id: accountId,
        resources: resourceCount,
        answer: answer?.answer ?? null,
        reason: answer?.reason ?? null,
        answered_at: answer ? rfc3339(answer.answeredAt) : null,
      })),
    }
  }

  /** By leave for the key: a plan of another's key is not there. */
  async function planFor(context: Context, id: string): Promise<Plan> {
    const plan = await selectPlan(database.reads, id)
    if (!plan) throw planNotFound(id)
    try {
      await kms.keyForUses(askOf(context, plan))
      return plan
    } catch (cause) {
      if (cause instanceof Fault && cause.code === 'forbidden') throw planNotFound(id)
      throw cause
    }
  }

  async function announce(context: Context, input: AskedByPath & { readonly body: Announced }): Promise<View> {
    const { action, planned_at: plannedText, reason } = input.body
    const key = await kms.keyForAction(keyAsk(context, input), action)
    const now = clock.now()
    const plan: Plan = {
      id: makeUuid(random),
      ownerAccountId: key.accountId,
      keyCrn: key.keyCrn,
      keyId: key.keyId,
      action,
      reason,
      plannedAt: plannedTime(plannedText, now),
      state: 'announced',
      createdAt: now,
      createdBy: context.caller.iamId,
      endedAt: null,
    }
    await database.transaction(async (tx) => {
      if ((await selectOpenPlans(tx, key.keyCrn)).length >= openPlansPerKeyMax) throw tooManyPlans()
      await insertPlan(tx, plan)
      await outbox.append(tx, {
        type: 'ledger.plan.announced',
        ...eventFacts(context, plan),
        plannedAt: plan.plannedAt,
      })
    })
    await tellUsersOf(plan)
    return await view(plan)
  }

  /** Who begins to use the key after the announcement is told too. */
  async function tellUsersOf(plan: Plan): Promise<void> {
    const told = await selectTold(database.reads, plan.id)
    const users = (await usersAt(parts, plan.keyCrn, null)).filter((user) => !told.has(user.accountId))
    if (users.length === 0) return
    const cause = { type: 'action.planned', keyCrn: plan.keyCrn, cause: `plan ${plan.id}`, planId: plan.id } as const
    const drafts = users.map((user) =>
      draftFor(user, { ...cause, occurredAt: plan.createdAt }, { plan: planFacts(plan) }),
    )
    await database.transaction(async (tx) => {
      if ((await selectPlan(tx, plan.id))?.state === 'announced') await post.send(tx, drafts)
    })
    post.wake()
  }

  async function withdraw(context: Context, id: string): Promise<View> {
    const plan = await planFor(context, id)
    await kms.keyForAction(askOf(context, plan), plan.action)
    const users = await usersAt(parts, plan.keyCrn, null)
    await database.transaction(async (tx) => {
      const now = clock.now()
      if (!(await endPlan(tx, id, 'withdrawn', now))) throw planEnded(plan)
      await outbox.append(tx, { type: 'ledger.plan.withdrawn', ...eventFacts(context, plan) })
      const told = await selectTold(tx, id)
      const cause = { type: 'action.withdrawn', keyCrn: plan.keyCrn, cause: `withdrawn ${id}`, planId: id } as const
      const drafts = users
        .filter((user) => told.has(user.accountId))
        .map((user) => draftFor(user, { ...cause, occurredAt: now }, { plan: planFacts(plan) }))
      await post.send(tx, drafts)
    })
    post.wake()
    return await view((await selectPlan(database.reads, id)) ?? plan)
  }

  /**
   * Does what was planned, as the one who asks may. The glass is broken, on record in every account that it concerns, before
   * anything is done: what is then refused by the key manager has still been tried.
   */
  async function proceed(context: Context, id: string, { break_glass: why, force = false }: Proceeding): Promise<View> {
    const plan = await planFor(context, id)
    await kms.keyForAction(askOf(context, plan), plan.action)
    if (plan.state !== 'announced') throw planEnded(plan)
    const concerned = await concernedBy(plan)
    const against = standsAgainst(plan, concerned, clock.now())
    if (against.length > 0) {
      if (why === undefined) throw notYet(against)
      await breakGlass(context, plan, why)
    }
    await kms.act(askOf(context, plan), plan.action, { force })
    await database.transaction((tx) => finish(tx, plan, 'done', context))
    return await view((await selectPlan(database.reads, id)) ?? plan)
  }

  async function breakGlass(context: Context, plan: Plan, reason: string): Promise<void> {
    const users = await usersAt(parts, plan.keyCrn, null)
    const cause = `override ${plan.id} ${makeUuid(random)}`
    await database.transaction(async (tx) => {
      const told = { type: 'action.overridden', keyCrn: plan.keyCrn, cause, planId: plan.id } as const
      const drafts = users.map((user) =>
        draftFor(user, { ...told, occurredAt: clock.now() }, { plan: { ...planFacts(plan), reason } }),
      )
      const everyone = users.length > 0 ? users.map((user) => user.accountId) : [plan.ownerAccountId]
      for (const accountId of everyone) {
        await outbox.append(tx, { type: 'ledger.plan.overridden', ...eventFacts(context, plan), accountId, reason })
      }
      await post.send(tx, drafts)
    })
    post.wake()
  }

  async function finish(tx: Tx, plan: Plan, state: 'done' | 'withdrawn', context: Context | null): Promise<void> {
    if (!(await endPlan(tx, plan.id, state, clock.now()))) return
    const type = state === 'done' ? 'ledger.plan.done' : 'ledger.plan.withdrawn'
    await outbox.append(tx, { type, ...eventFacts(context, plan) })
  }

  return {
    announce,
    withdraw,
    proceed,
    get: async (context: Context, id: string): Promise<View> => await view(await planFor(context, id)),
    async list(context: Context, input: AskedByPath & { readonly query: PageQuery }): Promise<List> {
      const key = await kms.keyForUses(keyAsk(context, input))
      const request = pageRequest(input.query)
      const found = await selectPlansOfKey(database.reads, key.keyCrn, {
        before: momentOf(request),
        limit: request.limit + 1,
      })
      const path = `/keyward/v1/keys/${encodeURIComponent(key.keyCrn)}/plans`
      const { page, links } = pageOf(found, request, { context, path, query: input.query, place: placeOfMoment })
      return { ...links, plans: await Promise.all(page.map(view)) }
    },
    /** To be called again and again. */
    async tellUsers(): Promise<void> {
      for (const plan of await selectOpenPlans(database.reads, null)) await tellUsersOf(plan)
    },
    /** What was planned is done when it has been done, through the plan or beside it; a deleted key has no other plans. */
    async noteDone(tx: Tx, { event, at }: HappenedEvent): Promise<void> {
      const action = actionOf[event.type]
      if (action === undefined || !('keyCrn' in event)) return
      for (const plan of await selectOpenPlans(tx, event.keyCrn)) {
        // Announced after it was done, and read of only now: another is meant.
        if (plan.createdAt >= at) continue
        if (plan.action === action) await finish(tx, plan, 'done', null)
        else if (action === 'delete') await finish(tx, plan, 'withdrawn', null)
      }
    },
  }
}

const actionOf: Readonly<Partial<Record<Event['type'], PlannableAction>>> = {
  'kms.key.disabled': 'disable',
  'kms.key.deleted': 'delete',
  'kms.key.rotated': 'rotate',
}

const askOf = ({ caller, remoteAddress }: Context, { keyCrn }: Plan) => ({
  caller,
  remoteAddress,
  instanceId: undefined,
  key: keyCrn,
})

const eventFacts = (context: Context | null, plan: Plan) => ({
  accountId: plan.ownerAccountId,
  ...(context && { initiatorId: context.caller.iamId }),
  planId: plan.id,
  action: plan.action,
  keyCrn: plan.keyCrn,
  ownerAccountId: plan.ownerAccountId,
})

function plannedTime(text: string, now: number): number {
  const at = Date.parse(text)
  if (at > now && at <= now + planAheadMsMax) return at
  const message = at <= now ? 'planned_at lies in the past' : 'planned_at lies more than a year ahead'
  throw new Fault('invalid', message, { target: { type: 'field', name: 'planned_at' } })
}

const planNotFound = (id: string): Fault =>
  new Fault('not_found', `there is no plan ${JSON.stringify(id.slice(0, 64))} for a key of yours`)

const planEnded = (plan: Plan): Fault =>
  new Fault('conflict', `plan ${plan.id} is ${plan.state === 'announced' ? 'over' : plan.state} already`, {
    reason: 'plan_ended',
  })

const notYet = (against: readonly string[]): Fault =>
  new Fault('conflict', `the plan waits: ${against.join('; ')}; break_glass with a reason goes on nevertheless`, {
    reason: 'plan_waits',
  })

const tooManyPlans = (): Fault =>
  new Fault('conflict', `a key has at most ${openPlansPerKeyMax} plans that have not ended`, { reason: 'over_quota' })
