// Pages of an ordered list. A token is the place of the last item, so what comes or goes meanwhile repeats and hides nothing.

import { Fault } from '#base/fault.ts'
import { ledgerPageDefault } from '#base/limits-ledger.ts'
import type { Context } from '#iam/port.ts'

export interface PageQuery {
  readonly start?: string
  readonly limit?: number
}

export interface PageRequest {
  /** The place after which to go on; the empty text begins. */
  readonly after: string
  readonly limit: number
}

export const pageRequest = ({ start, limit = ledgerPageDefault }: PageQuery): PageRequest => ({
  after: start === undefined ? '' : placeOf(start),
  limit,
})

/** The first of `items` as a page; they are one more than its limit where there is a next. */
export function pageOf<Item>(
  items: readonly Item[],
  request: PageRequest,
  link: {
    readonly context: Context
    readonly path: string
    readonly query: PageQuery
    readonly place: (item: Item) => string
  },
): { readonly page: readonly Item[]; readonly links: { limit: number; next?: { start: string; href: string } } } {
  const { limit } = request
  const page = items.slice(0, limit)
  const last = items.length > limit ? page.at(-1) : undefined
  if (last === undefined) return { page, links: { limit } }
  const start = Buffer.from(link.place(last)).toString('base64url')
  const parameters = Object.entries({ ...link.query, start }).map(([name, value]) => [name, String(value)])
  const href = `${link.context.baseUrl}${link.path}?${new URLSearchParams(parameters).toString()}`
  return { page, links: { limit, next: { start, href } } }
}

function placeOf(start: string): string {
  const place = Buffer.from(start, 'base64url')
  const text = place.toString()
  if (text !== '' && place.toString('base64url') === start && Buffer.from(text).equals(place)) return text
  throw noToken()
}

/** A place in a list that is ordered by time and id, the newest first. */
export interface Moment {
  readonly createdAt: number
  readonly id: string
}

export const placeOfMoment = ({ createdAt, id }: Moment): string => `${createdAt} ${id}`

/** Null begins. */
export function momentOf({ after }: PageRequest): Moment | null {
  if (after === '') return null
  const [, createdAt, id] = /^(\d{1,15}) ([0-9a-f-]{36})$/.exec(after) ?? []
  if (createdAt === undefined || id === undefined) throw noToken()
  return { createdAt: Number(createdAt), id }
}

const noToken = (): Fault =>
  new Fault('invalid', 'start is not a token of this list', { target: { type: 'parameter', name: 'start' } })
