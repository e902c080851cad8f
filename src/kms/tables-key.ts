// SQL of keys. Every query is about what its grant names and nothing else: the instance of the
// grant's target, and the key where it names one.

import { sql } from 'kysely'
import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { KmsTables } from '#store/schema/kms.ts'
import type { Key } from './key.ts'
import { instanceIdOf, keyIdOf, selectWholeKeys, toKey } from './tables-rows.ts'
import { stateNumbers } from './key-state.ts'
import type { KeyState } from './key-state.ts'

export interface KeyFilter {
  readonly states: readonly KeyState[]
  readonly extractable: boolean | null
}

export interface Page {
  readonly limit: number
  readonly offset: number
}

export type SortField = keyof typeof sortColumns

export interface SortTerm {
  readonly field: SortField
  readonly descending: boolean
}

/** The key that the grant is about, with its state at `now`; null when there is none. */
export async function selectKey(reads: Reads, grant: Grant, now: number): Promise<Key | null> {
  const row = await keysOf(reads, grant).where('kms_key.id', '=', keyIdOf(grant)).executeTakeFirst()
  return row ? toKey(row, now) : null
}

export async function selectKeys(
  reads: Reads,
  grant: Grant<'kms.secrets.list'>,
  wanted: { readonly filter: KeyFilter; readonly sort: readonly SortTerm[]; readonly page: Page; readonly now: number },
): Promise<readonly Key[]> {
  const { filter, sort, page, now } = wanted
  let query = matching(keysOf(reads, grant), filter, now)
  for (const { field, descending } of sort) {
    query = query.orderBy(sortKey(field, now), descending ? 'desc' : 'asc')
  }
  const rows = await query.orderBy('kms_key.id').limit(page.limit).offset(page.offset).execute()
  return rows.map((row) => toKey(row, now))
}

export async function countKeys(
  reads: Reads,
  grant: Grant<'kms.secrets.list'>,
  filter: KeyFilter,
  now: number,
): Promise<number> {
  const row = await matching(keysOf(reads, grant), filter, now)
    .clearSelect()
    .select((e) => e.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

export async function insertKey(tx: Tx, grant: Grant<'kms.secrets.create'>, key: Key): Promise<void> {
  assert(key.instance.id === instanceIdOf(grant), 'a key is made in the instance that the grant names')
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
  }
  await tx.insertInto('kms_key').values(row).execute()
}

export async function setState(
  tx: Tx,
  grant: Grant<'kms.secrets.disable' | 'kms.secrets.enable'>,
  state: KeyState,
  now: number,
): Promise<void> {
  await updateKey(tx, grant, { state: stateNumbers[state], updated_at: now })
}

export async function setDestroyed(
  tx: Tx,
  grant: Grant<'kms.secrets.delete'>,
  deleted: { readonly at: number; readonly by: string },
): Promise<void> {
  const { at, by } = deleted
  await updateKey(tx, grant, { state: stateNumbers.destroyed, updated_at: at, deleted_at: at, deleted_by: by })
}

export async function setRotated(tx: Tx, grant: Grant<'kms.secrets.rotate'>, now: number): Promise<void> {
  await updateKey(tx, grant, { rotated_at: now, updated_at: now })
}

/** Keys of the grant's instance, each with the instance and the newest version. */
const keysOf = (reads: Reads, grant: Grant) =>
  selectWholeKeys(reads).where('kms_key.instance_id', '=', instanceIdOf(grant))

function matching(query: ReturnType<typeof keysOf>, filter: KeyFilter, now: number): ReturnType<typeof keysOf> {
  let narrowed = query.where(
    stateNow(now),
    'in',
    filter.states.map((state) => stateNumbers[state]),
  )
  if (filter.extractable !== null) narrowed = narrowed.where('kms_key.extractable', '=', Number(filter.extractable))
  return narrowed
}

/** `stateAt` of key-state.ts in SQL, for what is filtered, sorted and counted there. */
const stateNow = (now: number) =>
  sql<number>`case when kms_key.state = ${stateNumbers.active} and kms_key.expires_at <= ${now}
    then ${stateNumbers.deactivated} else kms_key.state end`

const sortColumns = {
  id: 'kms_key.id',
  state: 'kms_key.state',
  extractable: 'kms_key.extractable',
  imported: 'kms_key.imported',
  creationDate: 'kms_key.created_at',
  lastUpdateDate: 'kms_key.updated_at',
  lastRotateDate: 'kms_key.rotated_at',
  deletionDate: 'kms_key.deleted_at',
  expirationDate: 'kms_key.expires_at',
} as const

/** What is absent comes before everything else: engines do not agree where nulls go. */
function sortKey(field: SortField, now: number) {
  if (field === 'id') return sql.ref(sortColumns.id)
  return field === 'state' ? stateNow(now) : sql<number>`coalesce(${sql.ref(sortColumns[field])}, 0)`
}

export const isSortField = (name: string): name is SortField => Object.hasOwn(sortColumns, name)

async function updateKey(tx: Tx, grant: Grant, change: Partial<Selectable<KmsTables['kms_key']>>): Promise<void> {
  const result = await tx
    .updateTable('kms_key')
    .set(change)
    .where('id', '=', keyIdOf(grant))
    .where('instance_id', '=', instanceIdOf(grant))
    .executeTakeFirst()
  assert(result.numUpdatedRows === 1n, 'a key that was read in this transaction is changed in it')
}
