// What becomes of a key: disabled, enabled, expired, synced. Deletion and rotation are beside it. Each change, its event and
// the notice to the services that have to follow it are one transaction, in which the state is read again; what stops by it
// has stopped, or was told to, before the caller hears of it.
// Source: Key Protect, "Disabling root keys", "Syncing associated resources", "Key states".

import type { Clock } from '#base/clock.ts'
import { expiredKeysPerSweep } from '#base/limits.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { disablingRules, obey } from './action-rules.ts'
import { crnOf, keyTypeOf, requireRootKey, requireState } from './key.ts'
import type { Key } from './key.ts'
import { isAllowed, nextState } from './key-state.ts'
import { readKey } from './keys.ts'
import type { Leases } from './leases.ts'
import type { Notices } from './notices.ts'
import type { Begun, Revocations } from './revocations.ts'
import { setState, setSynced } from './tables-key.ts'
import { keyIdOf } from './tables-rows.ts'
import { selectExpiredKeys, setExpired } from './tables-service.ts'
import { requireElapsed, waits } from './waits.ts'

export type KeyLifecycle = ReturnType<typeof makeKeyLifecycle>

export function makeKeyLifecycle(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly access: Access
  readonly leases: Leases
  readonly notices: Notices
  readonly revocations: Revocations
}) {
  const { database, outbox, clock, access, leases, notices, revocations } = parts

  async function tryDisable(asked: Asked, id: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.disable', id)
    obey(disablingRules(await readKey(database.reads, grant, clock.now())))
  }

  async function disable(asked: Asked, id: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.disable', id)
    const begun = await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      obey(disablingRules(key))
      await setState(tx, grant, nextState.disable, now)
      await outbox.append(tx, { type: 'kms.key.disabled', ...told(asked, key) })
      await notices.tell(tx, { type: 'disable', key, state: nextState.disable, now })
      return await revocations.begin(tx, { cause: 'key.disabled', ...placeOf(key) })
    })
    await leases.suspendKey(keyIdOf(grant), begun)
  }

  async function enable(asked: Asked, id: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.enable', id)
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'enable')
      requireElapsed({ since: key.stateChangedAt, waitMs: waits.settleMs, now, what: `enabling key ${key.id}` })
      await setState(tx, grant, nextState.enable, now)
      await outbox.append(tx, { type: 'kms.key.enabled', ...told(asked, key) })
      await notices.tell(tx, { type: 'enable', key, state: nextState.enable, now })
    })
  }

  /** Asks every service with a registration on the key to read again what has become of it. */
  async function sync(asked: Asked, id: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.sync', id)
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'sync')
      requireRootKey(key)
      const since = Math.max(key.updatedAt, key.syncedAt ?? 0)
      requireElapsed({ since, waitMs: waits.syncMs, now, what: `syncing key ${key.id}` })
      await setSynced(tx, grant, now)
      await outbox.append(tx, { type: 'kms.key.sync-requested', ...told(asked, key) })
      await notices.tell(tx, { type: 'sync', key, state: key.state, now })
    })
  }

  /** Writes down what the clock has decided already. To be called again and again. */
  async function expireKeys(): Promise<void> {
    // Resources of an expired key go on, where the table of states says so: then no right ends.
    const endsLeases = !isAllowed('lease', nextState.expire)
    const expired = await database.transaction(async (tx) => {
      const now = clock.now()
      const keys = await selectExpiredKeys(tx, now, expiredKeysPerSweep)
      const ended: { readonly key: Key; readonly begun: Begun | null }[] = []
      for (const key of keys) {
        await setExpired(tx, key.id, now)
        await outbox.append(tx, {
          type: 'kms.key.expired',
          accountId: key.instance.accountId,
          keyCrn: crnOf(key),
          keyType: keyTypeOf(key),
          expiresAt: key.expiresAt ?? now,
        })
        const begun = endsLeases ? await revocations.begin(tx, { cause: 'key.expired', ...placeOf(key) }) : null
        ended.push({ key, begun })
      }
      return ended
    })
    await Promise.all(expired.map(({ key, begun }) => begun && leases.fenceKey(key.id, begun)))
    if (expired.length === expiredKeysPerSweep) await expireKeys()
  }

  return { disable, tryDisable, enable, sync, expireKeys }
}

export const placeOf = (key: Key) => ({ accountId: key.instance.accountId, keyCrn: crnOf(key) })

/** What every event about a key says: whose it is, who did it, which it is. */
export const told = (asked: Asked, key: Key) => ({ ...placeOf(key), initiatorId: asked.caller.iamId })
