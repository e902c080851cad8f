// What happens to a key, its services have to follow: they are told with a notice, act on their own resources, and
// acknowledge. Whoever has not in four hours is named, with its resources, to the owner of the key; so is one that takes
// the key for something else than it is.
// Source: Key Protect, "Activity tracking events" (lifecycle actions, reasonCode 408 and 409), "Syncing resources".

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { keysPerSweep, noticeResourcesMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Tx } from '#store/database.ts'
import { crnOf } from './key.ts'
import type { Key } from './key.ts'
import { stateNumbers } from './key-state.ts'
import type { KeyState } from './key-state.ts'
import type { KmsPort } from './port.ts'
import { serviceIamId } from './resource.ts'
import type { Registrant } from './resource.ts'
import { insertNotice, selectNotice, selectOverdue, selectOwed, setAcknowledged, setOverdue } from './tables-notice.ts'
import type { NoticeType, OwedNotice } from './tables-notice.ts'
import { selectRegistrants, selectStale } from './tables-registration.ts'
import { selectKeyOfAnyone } from './tables-service.ts'
import { countStale } from './tables-tally.ts'
import { waits } from './waits.ts'

export interface Happened {
  readonly type: NoticeType
  readonly key: Key
  /** In which the key is afterwards. */
  readonly state: KeyState
  readonly now: number
  readonly oldVersionId?: string
  readonly newVersionId?: string
}

export interface Acknowledgement {
  readonly noticeId: string
  readonly by: Registrant
  /** The key that the service speaks of, where it was asked for; of any key where absent. */
  readonly keyId?: string
  readonly type?: string
  /** What the service takes the key for; absent where it does not say. */
  readonly keyState?: number
  readonly newVersionId?: string
  /** Said by who looks first whether it is so: too early is then no contradiction. */
  readonly whenComplete?: true
}

export interface Notices extends Pick<KmsPort, 'pendingNotices'> {
  /** In the transaction of the change, and before registrations go with it. */
  tell(tx: Tx, happened: Happened): Promise<void>
  /** False only `whenComplete` and too early. */
  acknowledge(acknowledgement: Acknowledgement): Promise<boolean>
  /** Says of each notice whose time has passed that it was not acknowledged, once. To be called again and again. */
  nameOverdue(): Promise<void>
}

export function makeNotices(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
}): Notices {
  const { database, outbox, clock, random } = parts

  async function tell(tx: Tx, { type, key, state, now, oldVersionId, newVersionId }: Happened): Promise<void> {
    const services = await selectRegistrants(tx, key.id, noticeResourcesMax)
    if (services.length === 0) return
    const notice = {
      id: makeUuid(random),
      keyId: key.id,
      type,
      keyState: stateNumbers[state],
      oldVersionId: oldVersionId ?? null,
      newVersionId: newVersionId ?? null,
      createdAt: now,
      dueAt: now + waits.acknowledgeMs,
    }
    await insertNotice(tx, notice, services)
  }

  async function pendingNotices(serviceName: string, limit: number): ReturnType<KmsPort['pendingNotices']> {
    const owed = await selectOwed(database.reads, serviceName, limit)
    return await Promise.all(
      owed.map(async ({ id, keyId, type, accountId, keyState }) => {
        const key = await selectKeyOfAnyone(database.reads, keyId, clock.now())
        return { noticeId: id, keyCrn: key ? crnOf(key) : '', type, accountId, keyState }
      }),
    )
  }

  /** Saying it twice changes nothing. A contradiction is refused, and on record even so. */
  async function acknowledge(said: Acknowledgement): Promise<boolean> {
    const contradiction = await database.transaction(async (tx) => {
      const now = clock.now()
      const notice = await selectNotice(tx, said.noticeId, said.by)
      const key = notice ? await selectKeyOfAnyone(tx, notice.keyId, now) : null
      if (!notice || !key || (said.keyId !== undefined && said.keyId !== notice.keyId)) throw noticeNotFound()
      if (notice.acknowledgedAt !== null) return null
      const wrong = await contradictionIn(tx, said, notice, key)
      if (wrong) {
        if (said.whenComplete && wrong.isTooEarly) return 'early'
        await append(tx, key, notice, { reasonCode: 409, reasonForFailure: wrong.why, resources: wrong.resources })
        return { why: wrong.why }
      }
      await setAcknowledged(tx, notice, now)
      const { oldVersionId, newVersionId } = notice
      await outbox.append(tx, {
        type: 'kms.lifecycle.acknowledged',
        ...facts(key, notice),
        initiatorId: serviceIamId(notice),
        latencyMs: now - notice.createdAt,
        keyState: notice.keyState,
        ...(oldVersionId !== null && { oldKeyVersionId: oldVersionId }),
        ...(newVersionId !== null && { newKeyVersionId: newVersionId }),
      })
      if (notice.type === 'disable' || notice.type === 'delete') {
        const { resources: resourceCrns, resourceCount } = notice
        const by = { ...facts(key, notice), initiatorId: serviceIamId(notice) }
        const { noticeType: _, ...told } = by
        await outbox.append(tx, { type: 'kms.registrations.deactivated', ...told, resourceCrns, resourceCount })
      }
      return null
    })
    if (contradiction === null || contradiction === 'early') return contradiction === null
    throw new Fault('conflict', `the acknowledgement is refused: ${contradiction.why}`, {
      reason: 'KEY_ACTION_INVALID_STATE_ERR',
    })
  }

  async function nameOverdue(): Promise<void> {
    const count = await database.transaction(async (tx) => {
      const now = clock.now()
      const overdue = await selectOverdue(tx, now, keysPerSweep)
      for (const notice of overdue) {
        await setOverdue(tx, notice, now)
        const key = await selectKeyOfAnyone(tx, notice.keyId, now)
        if (!key) continue
        const reasonForFailure = `no acknowledgement of ${notice.type} within ${waits.acknowledgeMs / 3_600_000} hours`
        const resources = await laggingResources(tx, notice, key)
        await append(tx, key, notice, { reasonCode: 408, reasonForFailure, resources })
      }
      return overdue.length
    })
    if (count === keysPerSweep) await nameOverdue()
  }

  /** One event for each resource that is named, so that whoever reads them finds the resource in the event. */
  async function append(
    tx: Tx,
    key: Key,
    notice: OwedNotice,
    failure: { reasonCode: 408 | 409; reasonForFailure: string; resources: readonly string[] },
  ): Promise<void> {
    const { resources, ...reason } = failure
    const named = resources.length === 0 ? [{}] : resources.map((resourceCrn) => ({ resourceCrn }))
    for (const resource of named) {
      await outbox.append(tx, { type: 'kms.lifecycle.failed', ...facts(key, notice), ...reason, ...resource })
    }
  }

  return { tell, pendingNotices, acknowledge, nameOverdue }
}

const facts = (key: Key, notice: OwedNotice) => ({
  accountId: key.instance.accountId,
  keyCrn: crnOf(key),
  noticeId: notice.id,
  noticeType: notice.type,
  serviceName: notice.serviceName,
  serviceAccountId: notice.accountId,
})

/** Null where the service says nothing that is not so. */
async function contradictionIn(
  tx: Tx,
  said: Acknowledgement,
  notice: OwedNotice,
  key: Key,
): Promise<{ why: string; resources: readonly string[]; isTooEarly?: true } | null> {
  const { resources } = notice
  if (said.type !== undefined && said.type !== notice.type) return { why: `the event was ${notice.type}`, resources }
  if (said.keyState !== undefined && said.keyState !== notice.keyState) {
    return { why: `the key was in state ${notice.keyState} after it, not ${said.keyState}`, resources }
  }
  if (notice.type !== 'rotate') return null
  if (said.newVersionId !== undefined && said.newVersionId !== notice.newVersionId) {
    return { why: `the new version was ${notice.newVersionId}`, resources }
  }
  if ((await countStale(tx, { id: key.id, newestVersionId: key.newestVersion.id }, notice)) === 0) return null
  const stale = said.whenComplete ? [] : await laggingResources(tx, notice, key)
  return { why: 'resources of the service still use an older version', resources: stale, isTooEarly: true }
}

/** For a rotation those that have not come to the newest version, else those that the service had when it was told. */
const laggingResources = async (tx: Tx, notice: OwedNotice, key: Key): Promise<readonly string[]> =>
  notice.type === 'rotate'
    ? await selectStale(tx, { id: key.id, newestVersionId: key.newestVersion.id }, notice, noticeResourcesMax)
    : notice.resources

const noticeNotFound = (): Fault =>
  new Fault('not_found', 'no such event was told to this service', { reason: 'EVENT_NOT_FOUND_ERR' })
