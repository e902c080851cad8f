// Catalog entries to wire. Source: Global Catalog API v1, "CatalogEntry": metadata only where it is asked for.

import type { Static } from 'typebox'
import type { CatalogPage, Entry } from './catalog.ts'
import type { resourcesContract } from './contract.ts'

type EntryView = Static<(typeof resourcesContract)['getCatalogEntry']['reply']>
type PageView = Static<(typeof resourcesContract)['listCatalogEntries']['reply']>

export interface Shown {
  readonly baseUrl: string
  readonly hasMetadata: boolean
  /** How many levels of children are shown with their parent. */
  readonly depth: number
}

export function entryView(entry: Entry, shown: Shown): EntryView {
  const url = `${shown.baseUrl}/api/v1/${encodeURIComponent(entry.id)}`
  const { displayName, description } = entry
  return {
    id: entry.id,
    name: entry.name,
    kind: entry.kind,
    active: true,
    disabled: false,
    group: false,
    catalog_crn: entry.catalogCrn,
    url,
    children_url: `${url}/*`,
    ...(entry.parentId !== null && {
      parent_id: entry.parentId,
      parent_url: `${shown.baseUrl}/api/v1/${encodeURIComponent(entry.parentId)}`,
    }),
    overview_ui: { en: { display_name: displayName, description, long_description: description } },
    images: { image: '', small_image: '', medium_image: '', feature_image: '' },
    provider: { name: 'Keyward', email: '', contact: '', support_email: '', phone: '' },
    tags: [...entry.tags],
    geo_tags: [...entry.geoTags],
    pricing_tags: entry.isFree ? ['free'] : ['paid_only'],
    created: published,
    updated: published,
    children:
      shown.depth > 0 ? entry.children.map((child) => entryView(child, { ...shown, depth: shown.depth - 1 })) : [],
    ...(shown.hasMetadata && { metadata: { ...entry.metadata } }),
  }
}

/** The catalog is data of this program and has no history. */
const published = '2026-01-01T00:00:00.000Z'

/** `next` only where there is one; `path` is that of the list, below the base URL. */
export function catalogPageView(page: CatalogPage, path: string, shown: Shown): PageView {
  const href = (offset: number): string => {
    const include = shown.hasMetadata ? '&include=*' : ''
    return `${shown.baseUrl}${path}?_offset=${offset}&_limit=${page.limit}${include}`
  }
  const nextOffset = page.offset + page.limit
  return {
    offset: page.offset,
    limit: page.limit,
    count: page.totalCount,
    resource_count: page.entries.length,
    first: href(0),
    ...(page.offset > 0 && { prev: href(Math.max(page.offset - page.limit, 0)) }),
    ...(nextOffset < page.totalCount && { next: href(nextOffset) }),
    resources: page.entries.map((entry) => entryView(entry, shown)),
  }
}
