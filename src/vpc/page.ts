// Pages of a collection, newest first. Source: VPC API, "Pagination". A token says after which item to go on, by the
// item's place in the order and not by a count, so what is made or deleted meanwhile neither repeats nor hides an item.

import { Fault } from '#base/fault.ts'
import { vpcPageDefault } from '#base/limits.ts'

/** Place in the order of a collection; ids settle the order of what was made in the same millisecond. */
export interface Position {
  readonly id: string
  readonly createdAt: number
}

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

/** What a request asks for: so many, from after that place on. */
export function parsePage({ start, limit }: PageRequest): { readonly after: Position | null; readonly limit: number } {
  return { after: start === undefined ? null : parseToken(start), limit: limit ?? vpcPageDefault }
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
): Page<Item> {
  const page = items.slice(0, limit)
  const last = page.at(-1)
  return { items: page, limit, totalCount, next: last && items.length > limit ? makeToken(last) : null }
}

/** Less than nothing when `a` comes first. */
export const newestFirst = (a: Position, b: Position): number =>
  b.createdAt - a.createdAt || (a.id < b.id ? 1 : a.id > b.id ? -1 : 0)

const makeToken = ({ createdAt, id }: Position): string => Buffer.from(`${createdAt}.${id}`).toString('base64url')

function parseToken(token: string): Position {
  const found = /^(\d{1,15})\.([-0-9a-z_]{1,64})$/.exec(Buffer.from(token, 'base64url').toString())
  const [, createdAt, id] = found ?? []
  if (createdAt === undefined || id === undefined) {
    const target = { type: 'parameter', name: 'start' } as const
    throw new Fault('invalid', 'start is not a token of this collection', { reason: 'invalid_id_format', target })
  }
  return { createdAt: Number(createdAt), id }
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
