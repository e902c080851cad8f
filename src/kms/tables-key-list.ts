// SQL of lists of keys: filtered, searched, sorted, paged, counted. What is listed lies in the instance of the grants, and
// in their rings where they name rings.

import { sql } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import type { Key } from './key.ts'
import { stateNumbers } from './key-state.ts'
import type { KeyState } from './key-state.ts'
import { instanceIdOf, selectWholeKeys, toKey } from './tables-rows.ts'

export interface KeyFilter {
  readonly states: readonly KeyState[]
  readonly extractable: boolean | null
  readonly dates: readonly DateTerm[]
}

/** A condition on a date, in milliseconds; `from` is in it and `to` is not. `none` is where there is no such date. */
export type DateTerm = { readonly field: DateField } & (
  | { readonly none: true }
  | { readonly none: false; readonly from: number; readonly to: number }
)

export interface Page {
  readonly limit: number
  readonly offset: number
}

export type DateField = 'creationDate' | 'lastUpdateDate' | 'lastRotateDate' | 'deletionDate' | 'expirationDate'
export type SortField = keyof typeof sortColumns

export interface SortTerm {
  readonly field: SortField
  readonly descending: boolean
}

export type ListGrants = readonly [Grant<'kms.secrets.list'>, ...Grant<'kms.secrets.list'>[]]

/** What a list is made of. `ids` are the keys that a search has found, or null where nothing was searched. */
export interface Wanted {
  readonly filter: KeyFilter
  readonly ids: readonly string[] | null
  readonly now: number
}

export async function selectKeys(
  reads: Reads,
  grants: ListGrants,
  wanted: Wanted & { readonly sort: readonly SortTerm[]; readonly page: Page },
): Promise<readonly Key[]> {
  const { sort, page, now } = wanted
  let query = matching(keysOf(reads, grants), wanted)
  for (const { field, descending } of sort) {
    query = query.orderBy(sortKey(field, now), descending ? 'desc' : 'asc')
  }
  const rows = await query.orderBy('kms_key.id').limit(page.limit).offset(page.offset).execute()
  return rows.map((row) => toKey(row, now))
}

export async function countKeys(reads: Reads, grants: ListGrants, wanted: Wanted): Promise<number> {
  const row = await matching(keysOf(reads, grants), wanted)
    .clearSelect()
    .select((e) => e.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

export interface SearchedKey {
  readonly id: string
  readonly name: string
  readonly aliases: readonly string[]
}

/** What a search looks through, up to `limit`. Names are compared outside: engines do not agree on letters and case. */
export async function selectSearchSpace(
  reads: Reads,
  grants: ListGrants,
  wanted: Omit<Wanted, 'ids'>,
  limit: number,
): Promise<readonly SearchedKey[]> {
  const keys = await matching(keysOf(reads, grants), { ...wanted, ids: null })
    .clearSelect()
    .select(['kms_key.id', 'kms_key.name'])
    .orderBy('kms_key.id')
    .limit(limit)
    .execute()
  const aliases = await reads
    .selectFrom('kms_alias')
    .select(['key_id', 'alias'])
    .where('instance_id', '=', instanceIdOf(grants[0]))
    .execute()
  const byKey = Map.groupBy(aliases, (row) => row.key_id)
  return keys.map((key) => ({ ...key, aliases: (byKey.get(key.id) ?? []).map((row) => row.alias) }))
}

/** The one key that the text names, by its id or an alias; null when there is none. */
export async function selectNamed(
  reads: Reads,
  grants: ListGrants,
  wanted: Omit<Wanted, 'ids'>,
  text: string,
): Promise<string | null> {
  const row = await matching(keysOf(reads, grants), { ...wanted, ids: null })
    .clearSelect()
    .select('kms_key.id')
    .where(({ eb, or, selectFrom }) =>
      or([
        eb('kms_key.id', '=', text),
        eb(
          'kms_key.id',
          'in',
          selectFrom('kms_alias')
            .select('key_id')
            .where('kms_alias.instance_id', '=', instanceIdOf(grants[0]))
            .where('alias', '=', text),
        ),
      ]),
    )
    .executeTakeFirst()
  return row?.id ?? null
}

/** Keys of the grants' instance and rings, each with the instance and the newest version. */
function keysOf(reads: Reads, grants: ListGrants) {
  const instanceId = instanceIdOf(grants[0])
  assert(
    grants.every((grant) => instanceIdOf(grant) === instanceId),
    'a list is of one instance',
  )
  const rings = grants.map((grant) => grant.target.keyRing)
  const query = selectWholeKeys(reads).where('kms_key.instance_id', '=', instanceId)
  // A grant that names no ring is for all of them.
  const named = rings.filter((ring) => ring !== undefined)
  return named.length < rings.length ? query : query.where('kms_key.key_ring', 'in', named)
}

function matching(query: ReturnType<typeof keysOf>, { filter, ids, now }: Wanted): ReturnType<typeof keysOf> {
  let narrowed = query.where(
    stateNow(now),
    'in',
    filter.states.map((state) => stateNumbers[state]),
  )
  if (filter.extractable !== null) narrowed = narrowed.where('kms_key.extractable', '=', Number(filter.extractable))
  if (ids !== null) narrowed = narrowed.where('kms_key.id', 'in', ids)
  for (const term of filter.dates) {
    const column = sortColumns[term.field]
    narrowed = term.none
      ? narrowed.where(column, 'is', null)
      : narrowed.where(column, '>=', term.from).where(column, '<', term.to)
  }
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
