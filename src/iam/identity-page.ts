// Pages of the identity API: `pagesize`, `pagetoken`, `sort`, `order` in, full URLs out. A page token is opaque to clients:
// base64url of JSON, the order it belongs to, how many came before, and the last row by that order.

import { Fault } from '#base/fault.ts'
import { identityPageDefault } from '#base/limits.ts'
import type { Anyone } from './port.ts'

export interface PageQuery {
  readonly pagesize?: number
  readonly pagetoken?: string
  readonly sort?: string
  readonly order?: 'asc' | 'desc'
}

export type PageOrder = 'created_at' | 'modified_at' | 'name'

export interface Page {
  readonly order: PageOrder
  readonly descending: boolean
  readonly offset: number
  readonly after: { readonly value: string | number; readonly id: string } | null
  readonly limit: number
}

export interface Listing<Row> {
  readonly rows: readonly Row[]
  readonly page: Page
  /** Whether there are more after these. */
  readonly more: boolean
}

const orders: readonly string[] = ['created_at', 'modified_at', 'name'] satisfies PageOrder[]

export function parsePage({ pagesize, pagetoken, sort = 'created_at', order = 'asc' }: PageQuery): Page {
  if (!orders.includes(sort)) throw wrong('sort', `is one of ${orders.join(', ')}`)
  const page = { order: sort as PageOrder, descending: order === 'desc', limit: pagesize ?? identityPageDefault }
  if (pagetoken === undefined) return { ...page, offset: 0, after: null }
  const parts = parseJson(Buffer.from(pagetoken, 'base64url').toString())
  const [ofOrder, offset, value, id]: readonly unknown[] = Array.isArray(parts) ? parts : []
  const isValue = typeof value === 'string' || typeof value === 'number'
  if (ofOrder !== `${sort} ${order}` || typeof offset !== 'number' || !isValue || typeof id !== 'string') {
    throw wrong('pagetoken', 'is not the token of a page of this list')
  }
  return { ...page, offset, after: { value, id } }
}

/** From the rows that were read for a page, which are one more than it shows where there are more. */
export const listingOf = <Row>(rows: readonly Row[], page: Page): Listing<Row> => ({
  rows: rows.slice(0, page.limit),
  page,
  more: rows.length > page.limit,
})

/** The head of a collection. `next` is absent at the end: clients take null and "" for a page. */
export function pageHead<Row extends { created_at: number; modified_at: number; name: string }>(
  { rows, page, more }: Listing<Row>,
  { id, path, query, anyone }: { id: (row: Row) => string; path: string; query: PageQuery; anyone: Anyone },
): { offset: number; limit: number; first: string; next?: string } {
  const last = rows.at(-1)
  const order = `${page.order} ${page.descending ? 'desc' : 'asc'}`
  const token = last && [order, page.offset + rows.length, last[page.order], id(last)]
  const next = more && token ? Buffer.from(JSON.stringify(token)).toString('base64url') : null
  return {
    offset: page.offset,
    limit: page.limit,
    first: pageUrl(anyone, path, query, null),
    ...(next !== null && { next: pageUrl(anyone, path, query, next) }),
  }
}

function pageUrl({ baseUrl }: Anyone, path: string, query: PageQuery, token: string | null): string {
  const parameters = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (name !== 'pagetoken') parameters.set(name, String(value))
  if (token !== null) parameters.set('pagetoken', token)
  return `${baseUrl}${path}?${parameters}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

const wrong = (name: string, what: string): Fault =>
  new Fault('invalid', `${name} ${what}`, { target: { type: 'parameter', name } })
