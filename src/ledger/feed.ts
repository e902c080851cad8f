// From what happened to who is told. Events of keys are read in their order, from a place that moves in the transaction
// that tells of them: each is told once, whatever is killed when. Authorizations are compared with what they were, whatever
// ended them; dates are looked at now and then.

import { rfc3339 } from '#base/clock.ts'
import { expiryNoticeDays, feedPage } from '#base/limits-ledger.ts'
import { sweepMs } from '#base/limits.ts'
import { makeUuid } from '#base/id.ts'
import type { Consumer } from '#events/dispatcher.ts'
import type { EventType } from '#events/event.ts'
import { eventsAfter, moveCursor, newestSeq, readCursor } from '#events/outbox.ts'
import type { HappenedEvent } from '#events/outbox.ts'
import type { UsedKey } from '#kms/port.ts'
import type { NoticeDraft, NoticeType } from './notice.ts'
import type { LedgerParts } from './parts.ts'
import type { Plans } from './plans.ts'
import type { Post } from './post.ts'
import { deleteStanding, selectStandings, writeStanding } from './tables-standing.ts'
import type { Standing } from './tables-standing.ts'
import { draftFor, usersAt } from './users.ts'

const noticeOf = {
  'kms.key.disabled': 'key.disabled',
  'kms.key.enabled': 'key.enabled',
  'kms.key.deleted': 'key.deleted',
  'kms.key.restored': 'key.restored',
  'kms.key.rotated': 'key.rotated',
  'kms.key.quarantined': 'key.quarantined',
  'kms.key.quarantine-lifted': 'key.quarantine-lifted',
  'kms.key.expired': 'key.expired',
} as const satisfies Partial<Record<EventType, NoticeType>>

type KeyEventType = keyof typeof noticeOf
const keyEventTypes = Object.keys(noticeOf) as readonly KeyEventType[]

/** What may end or begin a right. */
const rightEventTypes = [
  'iam.policy.created',
  'iam.policy.updated',
  'iam.policy.deleted',
  'iam.policy.restored',
  'iam.policy.ended',
  'iam.role.updated',
  'iam.role.deleted',
  'iam.access-settings.updated',
  'iam.account.disabled',
  'iam.account.enabled',
  'kms.key.moved',
] as const satisfies readonly EventType[]

const feedCursor = 'ledger.feed'
const dayMs = 24 * 3_600_000

export function makeFeed(
  parts: LedgerParts,
  { post, plans }: { readonly post: Post; readonly plans: Plans },
): Consumer {
  const { database, clock, realClock, random, kms, authorizations, authorizationNoticeDays } = parts
  /** The last event of rights that all standings were compared after, and when. In memory: a start compares all. */
  let compared: { readonly seq: number; readonly atMs: number } | null = null

  async function tellOfEvents(): Promise<void> {
    for (;;) {
      const cursor = await readCursor(database.reads, feedCursor)
      const events = await eventsAfter(database.reads, keyEventTypes, cursor, feedPage)
      for (const event of events) {
        const drafts = await draftsFor(event)
        await database.transaction(async (tx) => {
          await post.send(tx, drafts)
          await plans.noteDone(tx, event)
          await moveCursor(tx, feedCursor, event.seq)
        })
        post.wake()
      }
      if (events.length < feedPage) return
    }
  }

  async function draftsFor({ id, at, event }: HappenedEvent): Promise<readonly NoticeDraft[]> {
    if (!isKeyEvent(event)) return []
    const version = event.type === 'kms.key.rotated' ? { key_version_id: event.keyVersionId } : {}
    const told = { type: noticeOf[event.type], keyCrn: event.keyCrn, cause: `event ${id}`, occurredAt: at }
    const users = event.type === 'kms.key.deleted' ? event.users : await usersAt(parts, event.keyCrn, at)
    return users.map((user) => draftFor(user, told, version))
  }

  async function compareRights(): Promise<void> {
    const seq = await newestSeq(database.reads, rightEventTypes, compared?.seq ?? 0)
    const atMs = realClock.monotonicMs()
    const isAll = compared === null || seq !== null || atMs - compared.atMs >= sweepMs
    const known = new Map((await selectStandings(database.reads)).map((one) => [nameOf(one), one]))
    const uses = await kms.foreignUses(null)
    const asked = isAll ? uses : uses.filter((use) => !known.has(nameOf(use)))
    const rights = await kms.rights(
      asked.map(({ keyCrn, serviceName, accountId }) => ({ keyCrn, as: { kind: 'service', serviceName, accountId } })),
    )
    for (const [at, use] of asked.entries()) {
      const before = known.get(nameOf(use))
      const policyId = rights[at]?.policyId ?? null
      if (before && before.policyId === policyId) continue
      await noteRight(use, before?.policyId, policyId, rights[at]?.boundedBy?.policyId ?? null)
    }
    const used = new Set(uses.map(nameOf))
    const unused = [...known.values()].filter((one) => !used.has(nameOf(one)))
    if (unused.length > 0) {
      await database.transaction(async (tx) => {
        for (const one of unused) await deleteStanding(tx, one)
      })
    }
    if (isAll) compared = { seq: seq ?? compared?.seq ?? 0, atMs }
  }

  /** What was never looked at was authorized when it was registered. */
  async function noteRight(
    use: UsedKey,
    before: string | null | undefined,
    policyId: string | null,
    endedId: string | null,
  ): Promise<void> {
    const { keyCrn, accountId, ownerAccountId, serviceName } = use
    const hadRight = before !== null
    const users = (await usersAt(parts, keyCrn, null)).filter((user) => user.accountId === accountId)
    const now = clock.now()
    const lost = endedId === null ? 'authorization.removed' : 'authorization.expired'
    const type = policyId === null ? lost : 'authorization.restored'
    const policy = policyId ?? endedId ?? before
    const facts = { service: serviceName, ...(typeof policy === 'string' && { policy_id: policy }) }
    const told = { type, keyCrn, cause: `right ${makeUuid(random)}`, occurredAt: now } as const
    await database.transaction(async (tx) => {
      await writeStanding(tx, { keyCrn, accountId, serviceName, ownerAccountId, policyId }, now)
      if (hadRight === (policyId !== null)) return
      // Nobody has done what a bound does at its time: its owner is told of it as the users are.
      const owners =
        type === 'authorization.expired' ? users.map((user) => ({ ...user, accountId: ownerAccountId })) : []
      await post.send(
        tx,
        [...users, ...owners].map((user) => draftFor(user, told, facts)),
      )
    })
    post.wake()
  }

  /** The nearest of the days that have come is told, once; those that had passed already are not. */
  async function tellOfExpiries(): Promise<void> {
    const now = clock.now()
    const first = Math.max(...expiryNoticeDays)
    const drafts: NoticeDraft[] = []
    for (const { keyCrn, expiresAt } of await kms.expiring(now, now + first * dayMs)) {
      const days = Math.min(...expiryNoticeDays.filter((count) => expiresAt <= now + count * dayMs))
      const cause = `expiry ${keyCrn} ${expiresAt} ${days}`
      const told = { type: 'key.expiring', keyCrn, cause, occurredAt: now } as const
      const facts = { expires_at: rfc3339(expiresAt), days_left: days }
      for (const user of await usersAt(parts, keyCrn, null)) drafts.push(draftFor(user, told, facts))
    }
    if (drafts.length === 0) return
    await database.transaction((tx) => post.send(tx, drafts))
    post.wake()
  }

  /** As of expiries, of rights that end by their bounds; the owner is told with those whose right it is. */
  async function tellOfEndings(): Promise<void> {
    const now = clock.now()
    const first = Math.max(...authorizationNoticeDays)
    const ending = await authorizations.ending(now, now + first * dayMs)
    if (ending.length === 0) return
    const ends = new Map(ending.map(({ policyId, endsAt }) => [policyId, endsAt]))
    const drafts: NoticeDraft[] = []
    for (const standing of await selectStandings(database.reads)) {
      const endsAt = standing.policyId === null ? undefined : ends.get(standing.policyId)
      if (endsAt === undefined) continue
      drafts.push(...(await draftsOfEnding(standing, endsAt, now)))
    }
    if (drafts.length === 0) return
    await database.transaction((tx) => post.send(tx, drafts))
    post.wake()
  }

  async function draftsOfEnding(standing: Standing, endsAt: number, now: number): Promise<readonly NoticeDraft[]> {
    const { keyCrn, accountId, ownerAccountId, serviceName, policyId } = standing
    const days = Math.min(...authorizationNoticeDays.filter((count) => endsAt <= now + count * dayMs))
    const cause = `ending ${policyId} ${keyCrn} ${accountId} ${serviceName} ${endsAt} ${days}`
    const told = { type: 'authorization.expiring', keyCrn, cause, occurredAt: now } as const
    const policy = policyId === null ? {} : { policy_id: policyId }
    const facts = { service: serviceName, ...policy, expires_at: rfc3339(endsAt), days_left: days }
    const users = (await usersAt(parts, keyCrn, null)).filter((user) => user.accountId === accountId)
    const owners = users.map((user) => ({ ...user, accountId: ownerAccountId }))
    return [...users, ...owners].map((user) => draftFor(user, told, facts))
  }

  return {
    name: 'ledger.notices',
    types: [...keyEventTypes, ...rightEventTypes, 'kms.registration.created', 'ledger.plan.announced'],
    async reconcile() {
      await tellOfEvents()
      await compareRights()
      await tellOfExpiries()
      await tellOfEndings()
      await plans.tellUsers()
    },
  }
}

const isKeyEvent = (event: HappenedEvent['event']): event is Extract<HappenedEvent['event'], { type: KeyEventType }> =>
  Object.hasOwn(noticeOf, event.type)

const nameOf = ({ keyCrn, accountId, serviceName }: Omit<Standing, 'policyId' | 'ownerAccountId'>): string =>
  `${keyCrn} ${accountId} ${serviceName}`
