// Global search over everything that an account has and the caller may see. Source: Global Search API v2, "Find instances
// of resources". A cursor holds the search it belongs to and the place where it stopped, not a count.

import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { searchPageDefault, searchPageMax, searchQueryLengthMax } from '#base/limits.ts'
import type { Context, IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import type { KnownResources } from './known-resources.ts'
import type { SearchableResource } from './port.ts'
import { crnAskedFor, matches, parseQuery } from './search-query.ts'
import type { Query, Values } from './search-query.ts'
import { selectTaggings } from './tables-tags.ts'

export interface SearchRequest {
  readonly query: string
  /** Empty for the documented five. */
  readonly fields: readonly string[]
  readonly cursor: string | null
  readonly accountId: string | null
  readonly limit: number | null
  /** `field`, `field:asc` or `field:desc`; the CRN settles the rest. */
  readonly sort: readonly string[]
  readonly reclaimed: 'true' | 'false' | 'any'
}

export interface Item extends Readonly<Record<string, unknown>> {
  readonly crn: string
  readonly tags: readonly string[]
  readonly access_tags: readonly string[]
  readonly service_tags: readonly string[]
}

export interface SearchResult {
  readonly items: readonly Item[]
  readonly limit: number
  readonly cursor: string | null
}

export type Search = ReturnType<typeof makeSearch>

export function makeSearch(parts: {
  readonly database: Database
  readonly iam: IamPort
  readonly knownResources: KnownResources
}) {
  const { database, iam, knownResources } = parts

  async function search(context: Context, request: SearchRequest): Promise<SearchResult> {
    const { caller } = context
    const limit = Math.min(request.limit ?? searchPageDefault, searchPageMax)
    const { query, fields, sort, after } = request.cursor === null ? begin(request) : parseCursor(request.cursor)
    if (request.accountId !== null && request.accountId !== caller.accountId) return { items: [], limit, cursor: null }

    const found = await find(caller.accountId, parseQuery(query), request.reclaimed)
    const ordered = found
      .map((item) => ({ item, place: placeOf(item, sort) }))
      .toSorted((a, b) => comparePlaces(a.place, b.place, sort))
    const items: Item[] = []
    for (const { item, place } of ordered) {
      if (after !== null && comparePlaces(place, after, sort) <= 0) continue
      if (items.length === limit) break
      const decision = await iam.decide(caller, 'global-search-tagging.resource.read', item.resource.target)
      if (decision.permitted) items.push(shown(item, fields))
    }
    const last = items.at(-1)
    const place = last && ordered.find(({ item }) => item.resource.crn === last.crn)?.place
    return { items, limit, cursor: place ? printCursor({ query, fields, sort, after: place }) : null }
  }

  async function find(accountId: string, query: Query, reclaimed: SearchRequest['reclaimed']): Promise<Whole[]> {
    const crn = crnAskedFor(query)
    const named = crn === null ? null : await knownResources.named(accountId, crn)
    const resources = crn === null ? await knownResources.all(accountId) : named ? [named] : []
    const tags = Map.groupBy(await selectTaggings(database.reads, accountId, crn), (row) => row.resource_crn)
    return resources
      .filter((resource) => reclaimed === 'any' || resource.isReclaimed === (reclaimed === 'true'))
      .map((resource) => {
        const rows = tags.get(resource.crn) ?? []
        const ofType = (type: string): string[] => rows.filter((row) => row.type === type).map((row) => row.name)
        const userTags = new Set([...resource.ownTags, ...ofType('user')])
        return { resource, fields: fieldsOf(resource, Array.from(userTags), ofType('access'), ofType('service')) }
      })
      .filter((item) => matches(query, valuesOf(item)))
  }

  /** The CRNs that a query names, for tagging: the caller is asked about each of them there. */
  async function crnsFor(context: Context, query: string): Promise<readonly string[]> {
    const found = await find(context.caller.accountId, parseQuery(query), 'false')
    return found.map((item) => item.resource.crn).toSorted()
  }

  return { search, crnsFor }
}

/** A resource with its tags, and all its fields as the wire names them. */
interface Whole {
  readonly resource: SearchableResource
  readonly fields: Item
}

const fieldsOf = (
  resource: SearchableResource,
  tags: readonly string[],
  accessTags: readonly string[],
  serviceTags: readonly string[],
): Whole['fields'] => ({
  account_id: resource.target.accountId,
  crn: resource.crn,
  name: resource.name,
  family: resource.family,
  type: resource.type,
  service_name: resource.serviceName,
  region: resource.region,
  ...(resource.resourceGroupId !== null && { resource_group_id: resource.resourceGroupId }),
  resource_id: resource.crn,
  creation_date: rfc3339(resource.createdAt),
  is_reclaimed: resource.isReclaimed,
  tags,
  access_tags: accessTags,
  service_tags: serviceTags,
  doc: resource.doc,
})

const valuesOf =
  ({ fields }: Whole): Values =>
  (field) =>
    field === null || field === '*' ? Object.values(fields).flatMap(texts) : texts(valueAt(fields, field))

function valueAt(fields: Whole['fields'], path: string): unknown {
  let at: unknown = fields
  for (const name of path.split('.')) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, name)) return undefined
    at = Reflect.get(at, name)
  }
  return at
}

function texts(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value]
  if (typeof value === 'number' || typeof value === 'boolean') return [String(value)]
  if (typeof value === 'object' && value !== null) return Object.values(value).flatMap(texts)
  return []
}

/** `crn` and the three lists of tags are on every item: clients read them without looking. */
function shown({ fields }: Whole, wanted: readonly string[]): Item {
  if (wanted.includes('*')) return fields
  const { crn, tags, access_tags, service_tags } = fields
  const names = wanted.length === 0 ? ['account_id', 'name', 'type', 'family'] : wanted
  const chosen = names.filter((name) => Object.hasOwn(fields, name)).map((name) => [name, fields[name]])
  return { ...Object.fromEntries(chosen), crn, tags, access_tags, service_tags }
}

// Order and cursor ----------------------------------------------------------------------------------------------------

type Place = readonly string[]

const placeOf = ({ resource, fields }: Whole, sort: readonly string[]): Place => [
  ...sort.map((key) => texts(valueAt(fields, key.replace(/:(asc|desc)$/, ''))).join(' ')),
  resource.crn,
]

function comparePlaces(a: Place, b: Place, sort: readonly string[]): number {
  for (const [i, text] of a.entries()) {
    const other = b[i] ?? ''
    if (text === other) continue
    return (text < other ? -1 : 1) * (sort[i]?.endsWith(':desc') ? -1 : 1)
  }
  return 0
}

interface Cursor {
  readonly query: string
  readonly fields: readonly string[]
  readonly sort: readonly string[]
  readonly after: Place | null
}

function begin({ query, fields, sort }: SearchRequest): Cursor {
  if (query.length > searchQueryLengthMax) throw badField('query', `is longer than ${searchQueryLengthMax} characters`)
  return { query, fields, sort, after: null }
}

function printCursor({ query, fields, sort, after }: Cursor): string {
  const pairs = [
    ['q', query],
    ...fields.map((field) => ['f', field]),
    ...sort.map((key) => ['s', key]),
    ...(after ?? []).map((text) => ['a', text]),
  ]
  return Buffer.from(new URLSearchParams(pairs).toString()).toString('base64url')
}

function parseCursor(text: string): Cursor {
  const parameters = new URLSearchParams(Buffer.from(text, 'base64url').toString())
  const query = parameters.get('q')
  const sort = parameters.getAll('s')
  const after = parameters.getAll('a')
  if (query === null || after.length !== sort.length + 1) throw badField('search_cursor', 'is not one of ours')
  return { query, fields: parameters.getAll('f'), sort, after }
}

const badField = (name: string, why: string): Fault =>
  new Fault('invalid', `${name} ${why}`, { target: { type: 'field', name } })
