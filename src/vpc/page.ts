// Pages of a collection, newest first. Source: VPC API, "Pagination". A token says after which item to go on, by the
// item's place in the order and not by a count, so what is made or deleted meanwhile neither repeats nor hides an item.

import { Fault } from '#base/fault.ts'
import { vpcPageDefault } from '#base/limits.ts'

/**
 * Place in the order of a collection; ids settle the order of what was made in the same millisecond. Collections that can be
 * sorted by name tell it.
 */
export interface Position {
  readonly id: string
  readonly createdAt: number
  readonly name?: string
}

/** Newest first, but for collections where the client may choose. */
export interface Order {
  readonly by: 'created_at' | 'name'
  readonly isDescending: boolean
}

export const newestFirstOrder: Order = { by: 'created_at', isDescending: true }

export interface Page<Item> {
  readonly items: readonly Item[]
  readonly limit: number
  readonly totalCount: number
  /** Token of the page that follows, or null on the last. */
  readonly next: string | null
}

export interface PageRequest {
  readonly start?: string | undefined
  readonly limit?: number | undefined
}

/** VPC API, `sort`: a property, with a hyphen before it for the descending order. */
export function parseSort(sort = '-created_at'): Order {
  const by = sort.replace(/^-/, '')
  if (by === 'created_at' || by === 'name') return { by, isDescending: sort.startsWith('-') }
  throw new Fault('invalid', 'sort must be created_at or name, or one of them after a hyphen', {
    reason: 'validation_enum',
    target: { type: 'parameter', name: 'sort' },
  })
}

/** What a request asks for: so many, from after that place on. */
export function parsePage(
  { start, limit }: PageRequest,
  order = newestFirstOrder,
): { readonly after: Position | null; readonly limit: number } {
  return { after: start === undefined ? null : parseToken(start, order), limit: limit ?? vpcPageDefault }
}

/** Of a short collection, whole and in any order; a long one is read by its pages (listing.ts). */
export function pageOf<Item extends Position>(items: readonly Item[], request: PageRequest): Page<Item> {
  const { after, limit } = parsePage(request)
  const ordered = items.toSorted(newestFirst)
  const rest = after ? ordered.filter((item) => newestFirst(item, after) > 0) : ordered
  return cut(rest, { limit, totalCount: items.length })
}

/** The page that begins with these, of which there is one too many unless it is the last. */
export function cut<Item extends Position>(
  items: readonly Item[],
  { limit, totalCount }: { readonly limit: number; readonly totalCount: number },
  order = newestFirstOrder,
): Page<Item> {
  const page = items.slice(0, limit)
  const last = page.at(-1)
  return { items: page, limit, totalCount, next: last && items.length > limit ? makeToken(last, order) : null }
}

/** Less than nothing when `a` comes first. */
export const newestFirst = (a: Position, b: Position): number =>
  b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)

/** The comparison for the order. */
export const inOrderOf =
  ({ by, isDescending }: Order) =>
  (a: Position, b: Position): number => {
    const newer = by === 'name' ? compare(b.name ?? '', a.name ?? '') || compare(b.id, a.id) : newestFirst(a, b)
    return isDescending ? newer : -newer
  }

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** A token is of one order: in another it would not say where to go on. */
const mark = ({ by, isDescending }: Order): string =>
  by === 'created_at' && isDescending ? '' : `${isDescending ? '-' : ''}${by}.`

const makeToken = ({ createdAt, id, name }: Position, order: Order): string =>
  Buffer.from(`${mark(order)}${order.by === 'name' ? `${name}.` : ''}${createdAt}.${id}`).toString('base64url')

function parseToken(token: string, order: Order): Position {
  const text = Buffer.from(token, 'base64url').toString()
  const begin = mark(order)
  const rest = text.startsWith(begin) ? text.slice(begin.length) : ''
  const found = /^(?:(-?[-a-z0-9]{1,64})\.)?(\d{1,15})\.([-0-9a-z_]{1,64})$/.exec(rest)
  const [, name, createdAt, id] = found ?? []
  const isWhole = (name !== undefined) === (order.by === 'name')
  if (createdAt === undefined || id === undefined || !isWhole) {
    const target = { type: 'parameter', name: 'start' } as const
    throw new Fault('invalid', 'start is not a token of this collection', { reason: 'invalid_id_format', target })
  }
  return { createdAt: Number(createdAt), id, ...(name !== undefined && { name }) }
}

/** The links and counts of a page as every collection writes them. Filters stay in the links. */
export function pageLinks(page: Page<unknown>, collectionHref: string, filters: Readonly<Record<string, unknown>>) {
  const kept = Object.entries(filters).flatMap(([name, value]): [string, string][] =>
    name === 'start' || name === 'limit' || value === undefined ? [] : [[name, String(value)]],
  )
  const href = (start: string | null): string => {
    const query = new URLSearchParams([
      ['limit', String(page.limit)],
      ...(start === null ? [] : [['start', start]]),
      ...kept,
    ])
    return `${collectionHref}?${query}`
  }
  return {
    first: { href: href(null) },
    limit: page.limit,
    ...(page.next !== null && { next: { href: href(page.next) } }),
    total_count: page.totalCount,
  }
}
