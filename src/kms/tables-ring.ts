// SQL of key rings and aliases: the names by which the keys of an instance are grouped and found.

import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import { stateNumbers } from './key-state.ts'
import { defaultKeyRing } from './key.ts'
import { instanceIdOf, keyIdOf } from './tables-rows.ts'
import type { Page } from './tables-key-list.ts'

export interface NamedRow {
  readonly createdAt: number
  readonly createdBy: string
}

export interface RingRow extends NamedRow {
  readonly id: string
}

export interface AliasRow extends NamedRow {
  readonly alias: string
  readonly keyId: string
}

/** For the question which of them a caller may look into; nobody is shown them by this. */
export async function selectKeyRingIds(reads: Reads, instanceId: string): Promise<readonly string[]> {
  const query = reads.selectFrom('kms_key_ring').select('id').where('instance_id', '=', instanceId).orderBy('id')
  return (await query.execute()).map((row) => row.id)
}

/** The rings that have rows, oldest first: every one but the default. */
export async function selectKeyRings(
  reads: Reads,
  grants: readonly Grant<'kms.keyrings.list'>[],
  page: Page,
): Promise<readonly RingRow[]> {
  const [first] = grants
  if (!first) return []
  const rings = grants.map((grant) => grant.target.keyRing)
  let query = reads
    .selectFrom('kms_key_ring')
    .select(['id', 'created_at as createdAt', 'created_by as createdBy'])
    .where('instance_id', '=', instanceIdOf(first))
  const named = rings.filter((ring) => ring !== undefined)
  if (named.length === rings.length) query = query.where('id', 'in', named)
  return await query.orderBy('created_at').orderBy('id').limit(page.limit).offset(page.offset).execute()
}

/** Whether there is such a ring, the default one included. */
export async function hasKeyRing(reads: Reads, instanceId: string, id: string): Promise<boolean> {
  if (id === defaultKeyRing) return true
  const row = await reads
    .selectFrom('kms_key_ring')
    .select('id')
    .where('instance_id', '=', instanceId)
    .where('id', '=', id)
    .executeTakeFirst()
  return row !== undefined
}

export async function countKeyRings(reads: Reads, instanceId: string): Promise<number> {
  const row = await reads
    .selectFrom('kms_key_ring')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('instance_id', '=', instanceId)
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

export async function insertKeyRing(tx: Tx, grant: Grant<'kms.keyrings.create'>, ring: RingRow): Promise<void> {
  const { id, createdAt, createdBy } = ring
  const row = { instance_id: instanceIdOf(grant), id, created_at: createdAt, created_by: createdBy }
  await tx.insertInto('kms_key_ring').values(row).execute()
}

/** How many keys lie in the ring, and how many of those are not destroyed. */
export async function countKeysInRing(
  tx: Tx,
  grant: Grant<'kms.keyrings.delete'>,
  id: string,
): Promise<{ readonly all: number; readonly living: number }> {
  const rows = await tx
    .selectFrom('kms_key')
    .select('state')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('instance_id', '=', instanceIdOf(grant))
    .where('key_ring', '=', id)
    .groupBy('state')
    .execute()
  const sum = (counted: typeof rows): number => counted.reduce((total, row) => total + Number(row.count), 0)
  return { all: sum(rows), living: sum(rows.filter((row) => row.state !== stateNumbers.destroyed)) }
}

/** What is destroyed goes to the default ring; leave to move keys out of this one is asked for with it. */
export async function moveDestroyedKeys(tx: Tx, grant: Grant<'kms.secrets.patch'>, id: string): Promise<void> {
  await tx
    .updateTable('kms_key')
    .set({ key_ring: defaultKeyRing })
    .where('instance_id', '=', instanceIdOf(grant))
    .where('key_ring', '=', id)
    .where('state', '=', stateNumbers.destroyed)
    .execute()
}

export async function deleteKeyRing(tx: Tx, grant: Grant<'kms.keyrings.delete'>, id: string): Promise<void> {
  await tx.deleteFrom('kms_key_ring').where('instance_id', '=', instanceIdOf(grant)).where('id', '=', id).execute()
}

/** The aliases of each of the keys, in the order in which they were given. */
export async function selectAliases(
  reads: Reads,
  keyIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  if (keyIds.length === 0) return new Map()
  const rows = await reads
    .selectFrom('kms_alias')
    .select(['key_id', 'alias'])
    .where('key_id', 'in', keyIds)
    .orderBy('created_at')
    .orderBy('alias')
    .execute()
  const byKey = Map.groupBy(rows, (row) => row.key_id)
  return new Map([...byKey].map(([id, own]) => [id, own.map((row) => row.alias)]))
}

/** How many aliases the instance has, and which key has this one. */
export async function selectAliasUse(
  tx: Tx,
  instanceId: string,
  alias: string,
): Promise<{ readonly total: number; readonly keyId: string | null }> {
  const counted = await tx
    .selectFrom('kms_alias')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('instance_id', '=', instanceId)
    .executeTakeFirstOrThrow()
  const owner = await tx
    .selectFrom('kms_alias')
    .select('key_id')
    .where('instance_id', '=', instanceId)
    .where('alias', '=', alias)
    .executeTakeFirst()
  return { total: Number(counted.count), keyId: owner?.key_id ?? null }
}

export async function insertAlias(tx: Tx, grant: Grant, row: AliasRow): Promise<void> {
  const { alias, keyId, createdAt, createdBy } = row
  const instance_id = instanceIdOf(grant)
  await tx
    .insertInto('kms_alias')
    .values({ instance_id, alias, key_id: keyId, created_at: createdAt, created_by: createdBy })
    .execute()
}

/** False when the key has no such alias. */
export async function deleteAlias(tx: Tx, grant: Grant<'kms.secrets.deletealias'>, alias: string): Promise<boolean> {
  const result = await tx
    .deleteFrom('kms_alias')
    .where('instance_id', '=', instanceIdOf(grant))
    .where('key_id', '=', keyIdOf(grant))
    .where('alias', '=', alias)
    .executeTakeFirst()
  return result.numDeletedRows > 0n
}
