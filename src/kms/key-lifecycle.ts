// What becomes of a key: rotated, disabled, enabled, deleted, expired. Each change and its event are one transaction,
// in which the state is read again; what stops by it has stopped, or was told to, before the caller hears of it.
// Source: Key Protect, "Rotating keys", "Disabling keys", "Deleting keys", "Key states".

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { expiredKeysPerSweep } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { crnOf, requireRootKey, requireState } from './key.ts'
import type { Key } from './key.ts'
import { generateMaterial, importMaterial, sealVersion } from './key-material.ts'
import { isAllowed, nextState } from './key-state.ts'
import { readKey } from './keys.ts'
import type { Leases } from './leases.ts'
import { setDestroyed, setRotated, setState } from './tables-key.ts'
import { insertVersion } from './tables-version.ts'
import { deleteRegistrations, hasRegistrations } from './tables-registration.ts'
import { selectExpiredKeys, setExpired } from './tables-service.ts'

export type KeyLifecycle = ReturnType<typeof makeKeyLifecycle>

export function makeKeyLifecycle(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly access: Access
  readonly leases: Leases
}) {
  const { database, outbox, clock, random, sealer, access, leases } = parts

  async function disable(asked: Asked, id: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.disable', id)
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'disable')
      requireRootKey(key)
      await setState(tx, grant, nextState.disable, now)
      await outbox.append(tx, { type: 'kms.key.disabled', ...told(asked, key) })
    })
    await leases.fenceKey(id)
  }

  async function enable(asked: Asked, id: string): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.enable', id)
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'enable')
      await setState(tx, grant, nextState.enable, now)
      await outbox.append(tx, { type: 'kms.key.enabled', ...told(asked, key) })
    })
  }

  /** The key as it is after. With `force`, what is registered on it loses its registration in the same transaction. */
  async function remove(asked: Asked, id: string, force: boolean): Promise<Key> {
    const grant = await access.key(asked, 'kms.secrets.delete', id)
    const removed = await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'delete')
      if (!force && (await hasRegistrations(tx, grant))) throw protects(key)
      for (const resourceCrn of await deleteRegistrations(tx, grant)) {
        await outbox.append(tx, { type: 'kms.registration.deleted', ...told(asked, key), resourceCrn })
      }
      await setDestroyed(tx, grant, { at: now, by: asked.caller.iamId })
      await outbox.append(tx, { type: 'kms.key.deleted', ...told(asked, key), forced: force })
      return await readKey(tx, grant, now)
    })
    await leases.fenceKey(id)
    return removed
  }

  /** Rotation is no change of state: what runs under the key runs on, and older versions still unwrap. */
  async function rotate(asked: Asked, id: string, payload: string | null): Promise<void> {
    const grant = await access.key(asked, 'kms.secrets.rotate', id)
    using material = payload === null ? generateMaterial(random) : importMaterial(payload, 'root')
    const versionId = makeUuid(random)
    const version = { keyId: id, id: versionId, ordinal: 0 }
    await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'rotate')
      requireRootKey(key)
      requirePayload(key, payload)
      await insertVersion(tx, grant, sealVersion(sealer, { ...version, createdAt: now }, material))
      await setRotated(tx, grant, now)
      await outbox.append(tx, { type: 'kms.key.rotated', ...told(asked, key), keyVersionId: versionId })
    })
  }

  /** Writes down what the clock has decided already. To be called again and again. */
  async function expireKeys(): Promise<void> {
    const expired = await database.transaction(async (tx) => {
      const now = clock.now()
      const keys = await selectExpiredKeys(tx, now, expiredKeysPerSweep)
      for (const key of keys) {
        await setExpired(tx, key.id, now)
        await outbox.append(tx, { type: 'kms.key.expired', accountId: key.instance.accountId, keyCrn: crnOf(key) })
      }
      return keys
    })
    if (!isAllowed('lease', nextState.expire)) await Promise.all(expired.map((key) => leases.fenceKey(key.id)))
    if (expired.length === expiredKeysPerSweep) await expireKeys()
  }

  return { disable, enable, remove, rotate, expireKeys }
}

const told = (asked: Asked, key: Key) => ({
  accountId: key.instance.accountId,
  initiatorId: asked.caller.iamId,
  keyCrn: crnOf(key),
})

const protects = (key: Key): Fault =>
  new Fault('conflict', `key ${key.id} protects resources: their registrations name them, and force removes those`, {
    reason: 'PROTECTED_RESOURCE_ERR',
  })

/** Key Protect, "Error messages": an imported key is rotated with new material, a generated one without. */
function requirePayload(key: Key, payload: string | null): void {
  if (key.imported && payload === null) {
    throw new Fault('invalid', `key ${key.id} was imported, its rotation needs a payload`, {
      reason: 'KEY_PAYLOAD_REQ_ERR',
      target: { type: 'field', name: 'payload' },
    })
  }
  if (!key.imported && payload !== null) {
    throw new Fault('invalid', `key ${key.id} was generated here, its rotation takes no payload`, {
      reason: 'INVALID_QUERY_PARAM_ERR',
      target: { type: 'field', name: 'payload' },
    })
  }
}
