// The end of a key, in two steps: deleted, which 30 days can undo, and purged, which nothing can. Where dual authorization
// is asked for, the first step takes two people.
// Source: Key Protect, "Deleting keys", "Deleting keys using dual authorization", "Restoring keys", "Purging keys".

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { keysPerSweep, noticeResourcesMax } from '#base/limits.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Caller, Grant } from '#iam/port.ts'
import type { Database, Reads } from '#store/database.ts'
import { deletionRules, deletionSetAt, obey } from './action-rules.ts'
import type { Access, Asked } from './access.ts'
import { requireState } from './key.ts'
import type { Key } from './key.ts'
import { placeOf, told } from './key-lifecycle.ts'
import type { KeyPurge } from './key-purge.ts'
import { nextState } from './key-state.ts'
import { aliasesOf, readKey, readPayload } from './keys.ts'
import type { ShownKey } from './keys.ts'
import type { Leases } from './leases.ts'
import { requireCreationAccess } from './new-material.ts'
import type { Notices } from './notices.ts'
import { serviceOf } from './resource.ts'
import type { Revocations } from './revocations.ts'
import type { Scrubbing } from './scrubbing.ts'
import { selectPoliciesFor } from './tables-instance.ts'
import { setDeletionSet, setDestroyed, setRestored } from './tables-key.ts'
import { countProtected, deleteRegistrations } from './tables-registration.ts'
import { keyIdOf } from './tables-rows.ts'
import { selectQuarantineHours } from './tables-safety.ts'
import { selectKeysToPurge } from './tables-service.ts'
import { requireElapsed, waits } from './waits.ts'

export type KeyDeletion = ReturnType<typeof makeKeyDeletion>

export function makeKeyDeletion(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly sealer: Sealer
  readonly access: Access
  readonly leases: Leases
  readonly notices: Notices
  readonly scrubbing: Scrubbing
  readonly purgeKey: KeyPurge
  readonly revocations: Revocations
}) {
  const { database, outbox, clock, sealer, access, leases, notices, scrubbing, purgeKey, revocations } = parts

  async function permitRemoval(asked: Asked, id: string): Promise<Grant<'kms.secrets.delete'>> {
    if (serviceOf(asked.caller)) throw notForServices()
    return await access.key(asked, 'kms.secrets.delete', id)
  }

  /** Every rule of a deletion and nothing of its effect. */
  async function requireRemovable(
    reads: Reads,
    { caller }: Asked,
    grant: Grant<'kms.secrets.delete'>,
    force: boolean,
  ): Promise<Key> {
    const now = clock.now()
    const key = await readKey(reads, grant, now)
    const resources = await countProtected(reads, key.id)
    const safety = { quarantineHours: await selectQuarantineHours(reads, key.instance.accountId) }
    obey(deletionRules({ key, by: personOf(caller), now, resources, force, safety }))
    return key
  }

  async function tryRemove(asked: Asked, id: string, force: boolean): Promise<void> {
    await requireRemovable(database.reads, asked, await permitRemoval(asked, id), force)
  }

  /** The key as it is after, with the material that a standard key had: the last chance to keep it. */
  async function remove(asked: Asked, id: string, force: boolean): Promise<ShownKey> {
    const grant = await permitRemoval(asked, id)
    const removed = await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await requireRemovable(tx, asked, grant, force)
      const payload = await readPayload(tx, sealer, grant, key)
      await notices.tell(tx, { type: 'delete', key, state: nextState.delete, now })
      const uses = await deleteRegistrations(tx, grant, now)
      for (const { resourceCrn } of uses) {
        await outbox.append(tx, { type: 'kms.registration.deleted', ...told(asked, key), resourceCrn })
      }
      const approvedBy = key.policies.dualAuthDelete?.enabled ? (deletionSetAt(key, now)?.by ?? null) : null
      await setDestroyed(tx, grant, { at: now, by: asked.caller.iamId, approvedBy })
      await outbox.append(tx, {
        type: 'kms.key.deleted',
        ...told(asked, key),
        forced: force,
        users: usersOf(uses),
      })
      const begun = await revocations.begin(tx, { cause: 'key.deleted', ...placeOf(key) })
      return { shown: { key: await readKey(tx, grant, now), aliases: await aliasesOf(tx, key), payload }, begun }
    })
    await leases.fenceKey(keyIdOf(grant), removed.begun)
    return removed.shown
  }

  /** Under its old name, with everything that it had but the registrations that force took away. */
  async function restore(asked: Asked, id: string): Promise<ShownKey> {
    const grant = await access.key(asked, 'kms.secrets.restore', id)
    return await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'restore')
      requireRestorable(key, now)
      requireElapsed({ since: key.stateChangedAt, waitMs: waits.settleMs, now, what: `restoring key ${key.id}` })
      const { extractable, imported } = key
      const material = imported ? 'importedSecurely' : 'generated'
      requireCreationAccess(await selectPoliciesFor(tx, grant), { extractable, material })
      await setRestored(tx, grant, now)
      await outbox.append(tx, { type: 'kms.key.restored', ...told(asked, key), keyVersionId: key.newestVersion.id })
      await notices.tell(tx, { type: 'restore', key, state: nextState.restore, now })
      return { key: await readKey(tx, grant, now), aliases: await aliasesOf(tx, key), payload: null }
    })
  }

  /** Nothing brings it back. The answer is the key as it was: afterwards there is none. */
  async function purge(asked: Asked, id: string): Promise<ShownKey> {
    const grant = await access.key(asked, 'kms.secrets.purge', id)
    const purged = await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'purge')
      const since = key.deleted?.at ?? now
      requireElapsed({ since, waitMs: waits.purgeMs, now, what: `purging key ${key.id}` })
      const aliases = await aliasesOf(tx, key)
      await purgeKey(tx, { key, rule: 'requested', purgedBy: asked.caller.iamId, now })
      return { key, aliases, payload: null }
    })
    await scrubbing.scrub()
    return purged
  }

  /** Purges what was deleted 90 days ago. To be called again and again. */
  async function purgeDeleted(): Promise<void> {
    const count = await database.transaction(async (tx) => {
      const now = clock.now()
      const keys = await selectKeysToPurge(tx, now - waits.keepDeletedMs, now, keysPerSweep)
      for (const key of keys) await purgeKey(tx, { key, rule: 'retention', purgedBy: null, now })
      return keys.length
    })
    if (count === keysPerSweep) return await purgeDeleted()
    if (count > 0) await scrubbing.scrub()
  }

  /** The first person's word. Saying it again begins the seven days anew. */
  async function setForDeletion(asked: Asked, id: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.setkeyfordeletion', id)
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireDualAuth(key)
      const until = now + waits.authorizationMs
      await setDeletionSet(tx, grant, { by: personOf(asked.caller), until }, now)
      await outbox.append(tx, {
        type: 'kms.key.set-for-deletion',
        ...told(asked, key),
        authorizationExpiresAt: until,
      })
    })
  }

  async function unsetForDeletion(asked: Asked, id: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.unsetkeyfordeletion', id)
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireDualAuth(key)
      await setDeletionSet(tx, grant, null, now)
      await outbox.append(tx, { type: 'kms.key.unset-for-deletion', ...told(asked, key) })
    })
  }

  return { remove, tryRemove, restore, purge, purgeDeleted, setForDeletion, unsetForDeletion }
}

const usersOf = (uses: readonly { readonly resourceCrn: string; readonly accountId: string }[]) =>
  [...Map.groupBy(uses, (use) => use.accountId)].map(([accountId, own]) => ({
    accountId,
    resourceCount: own.length,
    resourceCrns: own.slice(0, noticeResourcesMax).map((use) => use.resourceCrn),
  }))

export const mayBeRestored = (key: Key, now: number): boolean =>
  key.deleted !== null && now <= key.deleted.at + waits.restoreMs && !isExpired(key, now)

const isExpired = (key: Key, now: number): boolean => key.expiresAt !== null && key.expiresAt <= now

/**
 * A trusted profile is not a person: who assumed it is. A service id counts as one of its own, for nothing tells whose
 * hands hold its API key; one person with a service id beside them passes for two.
 */
export const personOf = ({ personId, iamId }: Caller): string => personId ?? iamId

function requireDualAuth(key: Key): void {
  requireState(key, 'setForDeletion')
  if (key.policies.dualAuthDelete?.enabled) return
  throw new Fault('conflict', `key ${key.id} has no dual authorization policy`, { reason: 'NOT_DUAL_AUTH_ERR' })
}

function requireRestorable(key: Key, now: number): void {
  if (isExpired(key, now)) {
    throw new Fault('invalid', `key ${key.id} has expired since it was deleted`, { reason: 'KEY_EXPIRED_ERR' })
  }
  if (mayBeRestored(key, now)) return
  throw new Fault('invalid', `key ${key.id} was deleted more than 30 days ago`, { reason: 'KEY_RESTORE_EXPIRED' })
}

const notForServices = (): Fault =>
  new Fault('forbidden', 'a service deletes no keys', { reason: 'RESOURCE_OWNER_ERR' })
