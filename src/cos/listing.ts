// Lists of objects: in the order of keys, with what lies behind a delimiter rolled up into common prefixes. Source: Amazon
// S3 API, "ListObjectsV2". A prefix that is rolled up is stepped over in one query, however much lies under it.

import type { Subject } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import type { Access } from './access.ts'
import type { ObjectRow } from './object.ts'
import { selectObjects } from './tables-objects.ts'

/** Where a page begins: after a key, or after everything under a prefix. */
export type Place = { readonly after: string } | { readonly past: string }

export interface ListRequest {
  readonly prefix: string
  readonly delimiter: string
  readonly from: Place | null
  readonly limit: number
}

export interface ObjectPage {
  readonly objects: readonly ObjectRow[]
  readonly prefixes: readonly string[]
  /** Where the next page goes on, or null. */
  readonly next: Place | null
}

export interface Listing {
  list(subject: Subject, bucket: string, request: ListRequest): Promise<ObjectPage & { readonly owner: string }>
}

/** The least text that is greater than all that begin so; null where there is none. */
export function pastAll(prefix: string): string | null {
  const points = [...prefix]
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    const next = (last.codePointAt(0) ?? 0) + 1
    // Surrogates are no text of their own; UTF-8 goes on behind them.
    if (next <= 0x10ffff) return points.join('') + String.fromCodePoint(next === 0xd800 ? 0xe000 : next)
  }
  return null
}

/** What of the key is shown instead of it, or null for the key itself. */
export function rolledUp(key: string, { prefix, delimiter }: Pick<ListRequest, 'prefix' | 'delimiter'>): string | null {
  const at = delimiter === '' ? -1 : key.indexOf(delimiter, prefix.length)
  return at === -1 ? null : key.slice(0, at + delimiter.length)
}

interface Cursor {
  readonly key: string
  readonly inclusive: boolean
}

function startOf({ prefix, from }: ListRequest): Cursor | null {
  const begin = { key: prefix, inclusive: true }
  if (from === null) return begin
  const past = 'past' in from ? pastAll(from.past) : null
  if ('past' in from && past === null) return null
  const asked =
    past === null ? { key: 'after' in from ? from.after : '', inclusive: false } : { key: past, inclusive: true }
  // By UTF-8, as the database compares.
  return Buffer.compare(Buffer.from(asked.key), Buffer.from(prefix)) < 0 ? begin : asked
}

export function makeListing(parts: { readonly database: Database; readonly access: Access }): Listing {
  const { database, access } = parts
  return {
    async list(subject, bucketName, request) {
      const { prefix, delimiter, limit } = request
      const action = 'cloud-object-storage.bucket.get'
      const { bucket, grant } = await access.toBucket(subject, action, bucketName, { prefix, delimiter })
      const objects: ObjectRow[] = []
      const prefixes: string[] = []
      const below = prefix === '' ? null : pastAll(prefix)
      const page = (next: Place | null) => ({ objects, prefixes, next, owner: bucket.instance_id })
      let last: Place | null = request.from
      for (let cursor = limit === 0 ? null : startOf(request); cursor !== null; ) {
        const left = limit - objects.length - prefixes.length
        const rows = await selectObjects(database.reads, grant, { ...cursor, below, limit: left + 1 })
        cursor = null
        for (const row of rows) {
          if (objects.length + prefixes.length === limit) return page(last)
          const common = rolledUp(row.key, request)
          if (common === null) {
            objects.push(row)
            last = { after: row.key }
            continue
          }
          prefixes.push(common)
          last = { past: common }
          const past = pastAll(common)
          cursor = past === null ? null : { key: past, inclusive: true }
          break
        }
      }
      return page(null)
    },
  }
}
