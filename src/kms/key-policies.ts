// The policies of a key: when it is rotated by itself, and whether its deletion takes two people.
// Source: Key Protect, "Setting a rotation policy", "Setting dual authorization policies for keys".

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { invalidField } from './base64.ts'
import { crnOf, requireRootKey, requireState } from './key.ts'
import type { Key } from './key.ts'
import type { KeyPolicyChange, KeyPolicyType } from './key-policy-request.ts'
import { readKey } from './keys.ts'
import type { DualAuthPolicy, KeyPolicies, RotationPolicy, Stamp, WantedKeyPolicies } from './policy.ts'
import { setPolicies } from './tables-key.ts'
import { rotationDueAt } from './waits.ts'

export interface ShownPolicies {
  readonly key: Key
  readonly policies: KeyPolicies
}

export type KeyPolicyStore = ReturnType<typeof makeKeyPolicies>

export function makeKeyPolicies(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly access: Access
}) {
  const { database, outbox, clock, random, access } = parts

  async function get(asked: Asked, id: string, only: KeyPolicyType | null): Promise<ShownPolicies> {
    const grant = await access.key(asked, 'kms.policies.read', id)
    const key = await readKey(database.reads, grant, clock.now())
    return { key, policies: shown(key.policies, only) }
  }

  /** The policies that were set, as they are now. */
  async function set(asked: Asked, id: string, change: KeyPolicyChange): Promise<ShownPolicies> {
    const grant = await access.key(asked, 'kms.policies.write', id)
    return await database.transaction(async (tx) => {
      const now = clock.now()
      const key = await readKey(tx, grant, now)
      requireState(key, 'change')
      if (change.rotation) requireRotates(key)
      const stamp = (before: Stamp | null): Stamp => stampOf(before, asked.caller.iamId, now)
      const policies: KeyPolicies = {
        rotation: change.rotation ? nextRotation(key, change.rotation, stamp) : key.policies.rotation,
        dualAuthDelete: change.dualAuthDelete
          ? nextDualAuth(key, change.dualAuthDelete, stamp)
          : key.policies.dualAuthDelete,
      }
      // Setting it anew starts the clock anew; leaving it alone leaves the clock alone.
      const dueAt = change.rotation ? dueFrom(policies, now) : key.rotationDueAt
      await setPolicies(tx, grant, policies, dueAt, now)
      for (const policyType of ['rotation', 'dualAuthDelete'] as const) {
        const enabled = change[policyType]?.enabled
        if (enabled === undefined) continue
        const facts = { accountId: key.instance.accountId, initiatorId: asked.caller.iamId, keyCrn: crnOf(key) }
        await outbox.append(tx, { type: 'kms.key.policy-set', ...facts, policyType, enabled })
      }
      const touched = {
        rotation: change.rotation && policies.rotation,
        dualAuthDelete: change.dualAuthDelete && policies.dualAuthDelete,
      }
      return { key, policies: touched }
    })
  }

  const nextRotation = (
    { policies: { rotation: before } }: Key,
    wanted: NonNullable<KeyPolicyChange['rotation']>,
    stamp: (before: Stamp | null) => Stamp,
  ): RotationPolicy => {
    const months = wanted.months ?? before?.months
    if (months === undefined) throw invalidField('rotation.interval_month', 'rotation.interval_month is required')
    return { id: before?.id ?? makeUuid(random), enabled: wanted.enabled, months, ...stamp(before) }
  }

  const nextDualAuth = (
    { id, policies: { dualAuthDelete: before } }: Key,
    { enabled }: NonNullable<KeyPolicyChange['dualAuthDelete']>,
    stamp: (before: Stamp | null) => Stamp,
  ): DualAuthPolicy => {
    if (before?.enabled && !enabled) {
      throw invalidField('dualAuthDelete.enabled', `dual authorization of key ${id} cannot be turned off again`)
    }
    return { id: before?.id ?? makeUuid(random), enabled, ...stamp(before) }
  }

  return { get, set }
}

/** When the policies want the next version, counted from `since`; null where none does. */
export const dueFrom = ({ rotation }: KeyPolicies, since: number): number | null =>
  rotation?.enabled ? rotationDueAt(since, rotation.months) : null

/** Policies that a key begins with. */
export function firstPolicies(wanted: WantedKeyPolicies, by: string, now: number, random: Random): KeyPolicies {
  const stamp = stampOf(null, by, now)
  const { rotation, dualAuthDelete } = wanted
  return {
    rotation: rotation && { id: makeUuid(random), enabled: rotation.enabled, months: rotation.months, ...stamp },
    dualAuthDelete: dualAuthDelete && { id: makeUuid(random), enabled: dualAuthDelete.enabled, ...stamp },
  }
}

export const stampOf = (before: Stamp | null, by: string, now: number): Stamp => ({
  createdAt: before?.createdAt ?? now,
  createdBy: before?.createdBy ?? by,
  updatedAt: now,
  updatedBy: by,
})

/** Key Protect, "Rotating keys": material that a policy rotates is made here. */
export function requireRotates(key: Pick<Key, 'id' | 'extractable' | 'imported'>): void {
  requireRootKey(key)
  if (!key.imported) return
  throw new Fault('invalid', `key ${key.id} was imported: it is rotated by hand, with new material`, {
    reason: 'KEY_PAYLOAD_REQ_ERR',
    target: { type: 'field', name: 'rotation' },
  })
}

const shown = (policies: KeyPolicies, only: KeyPolicyType | null): KeyPolicies => ({
  rotation: only === 'dualAuthDelete' ? null : policies.rotation,
  dualAuthDelete: only === 'rotation' ? null : policies.dualAuthDelete,
})
