// SQL of keys, one at a time. Every query is about what its grant names and nothing else: the key, in the instance and,
// where the grant names one, in the ring of the grant's target. Lists of keys are in tables-key-list.ts.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { KmsTables } from '#store/schema/kms.ts'
import type { Deletion, Key } from './key.ts'
import { stateNumbers } from './key-state.ts'
import type { KeyState } from './key-state.ts'
import type { KeyPolicies } from './policy.ts'
import { instanceIdOf, keyIdOf, selectWholeKeys, toKey } from './tables-rows.ts'

/** The key that the grant is about, with its state at `now`; null when there is none. */
export async function selectKey(reads: Reads, grant: Grant, now: number): Promise<Key | null> {
  let query = selectWholeKeys(reads)
    .where('kms_key.instance_id', '=', instanceIdOf(grant))
    .where('kms_key.id', '=', keyIdOf(grant))
  if (grant.target.keyRing !== undefined) query = query.where('kms_key.key_ring', '=', grant.target.keyRing)
  const row = await query.executeTakeFirst()
  return row ? toKey(row, now) : null
}

export type CreateGrant = Grant<'kms.secrets.create' | 'kms.secrets-with-policy-overrides.create'>

export async function insertKey(tx: Tx, grant: CreateGrant, key: Key): Promise<void> {
  assert(key.instance.id === instanceIdOf(grant), 'a key is made in the instance that the grant names')
  assert(key.keyRing === grant.target.keyRing, 'a key is made in the ring that the grant names')
  const row = {
    id: key.id,
    instance_id: key.instance.id,
    key_ring: key.keyRing,
    name: key.name,
    description: key.description,
    tags: JSON.stringify(key.tags),
    extractable: Number(key.extractable),
    imported: Number(key.imported),
    state: stateNumbers[key.state],
    created_at: key.createdAt,
    created_by: key.createdBy,
    updated_at: key.updatedAt,
    rotated_at: key.rotatedAt,
    expires_at: key.expiresAt,
    deleted_at: null,
    deleted_by: null,
    state_changed_at: key.stateChangedAt,
    synced_at: null,
    policies: JSON.stringify(key.policies),
    rotation_due_at: key.rotationDueAt,
    deletion_set_by: null,
    deletion_set_until: null,
    deletion_approved_by: null,
    quarantined_at: null,
    quarantined_by: null,
  }
  await tx.insertInto('kms_key').values(row).execute()
}

export async function setState(
  tx: Tx,
  grant: Grant<'kms.secrets.disable' | 'kms.secrets.enable'>,
  state: KeyState,
  now: number,
): Promise<void> {
  await updateKey(tx, grant, { state: stateNumbers[state], updated_at: now, state_changed_at: now })
}

export async function setDestroyed(tx: Tx, grant: Grant<'kms.secrets.delete'>, deleted: Deletion): Promise<void> {
  const { at, by, approvedBy } = deleted
  const state = { state: stateNumbers.destroyed, updated_at: at, state_changed_at: at }
  const words = { deleted_by: by, deletion_approved_by: approvedBy, ...noDeletionSet }
  await updateKey(tx, grant, { ...state, deleted_at: at, ...words })
}

export async function setRestored(tx: Tx, grant: Grant<'kms.secrets.restore'>, now: number): Promise<void> {
  const state = { state: stateNumbers.active, updated_at: now, state_changed_at: now }
  await updateKey(tx, grant, { ...state, deleted_at: null, deleted_by: null, deletion_approved_by: null })
}

export async function setRotated(
  tx: Tx,
  grant: Grant<'kms.secrets.rotate'>,
  now: number,
  rotationDueAt: number | null,
): Promise<void> {
  await updateKey(tx, grant, { rotated_at: now, updated_at: now, rotation_due_at: rotationDueAt })
}

export async function setKeyRing(tx: Tx, grant: Grant<'kms.secrets.patch'>, ring: string, now: number): Promise<void> {
  await updateKey(tx, grant, { key_ring: ring, updated_at: now })
}

export async function setSynced(tx: Tx, grant: Grant<'kms.secrets.sync'>, now: number): Promise<void> {
  await updateKey(tx, grant, { synced_at: now })
}

export async function setDeletionSet(
  tx: Tx,
  grant: Grant<'kms.secrets.setkeyfordeletion' | 'kms.secrets.unsetkeyfordeletion'>,
  set: Key['deletionSet'],
  now: number,
): Promise<void> {
  const change = set ? { deletion_set_by: set.by, deletion_set_until: set.until } : noDeletionSet
  await updateKey(tx, grant, { ...change, updated_at: now })
}

export async function setPolicies(
  tx: Tx,
  grant: Grant<'kms.policies.write'>,
  policies: KeyPolicies,
  rotationDueAt: number | null,
  now: number,
): Promise<void> {
  const change = { policies: JSON.stringify(policies), rotation_due_at: rotationDueAt, updated_at: now }
  await updateKey(tx, grant, change)
}

const noDeletionSet = { deletion_set_by: null, deletion_set_until: null } as const

async function updateKey(tx: Tx, grant: Grant, change: Partial<Selectable<KmsTables['kms_key']>>): Promise<void> {
  const result = await tx
    .updateTable('kms_key')
    .set(change)
    .where('id', '=', keyIdOf(grant))
    .where('instance_id', '=', instanceIdOf(grant))
    .executeTakeFirst()
  assert(result.numUpdatedRows === 1n, 'a key that was read in this transaction is changed in it')
}
