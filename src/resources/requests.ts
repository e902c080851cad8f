// Wire to domain: where the names of the wire end.

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import { resourcePageDefault } from '#base/limits.ts'
import type { CatalogListing } from './catalog.ts'
import type { Shown } from './catalog-views.ts'
import { catalogServices } from './catalog-data.ts'
import type { resourcesContract } from './contract.ts'
import { listedByDefault } from './instance-state.ts'
import type { NewInstance } from './instance-create.ts'
import type { InstancePageRequest, InstancePatch } from './instances.ts'
import type { SearchRequest } from './search.ts'
import type { InstanceFilter, InstancePlace } from './tables.ts'
import { parseTagNames } from './tag-name.ts'

type Contract = typeof resourcesContract
type NewInstanceBody = Static<Contract['createResourceInstance']['body']>
type InstancePatchBody = Static<Contract['updateResourceInstance']['body']>
type InstanceQuery = Static<Contract['listResourceInstances']['query']>
type CatalogQuery = Static<Contract['listCatalogEntries']['query']>
type SearchQuery = Static<Contract['searchResources']['query']>
type SearchBody = Static<Contract['searchResources']['body']>

/** Header `Entity-Lock`: "Indicates if the resource instance is locked for further update or delete operations." */
export const newInstance = (body: NewInstanceBody, entityLock: string | undefined): NewInstance => ({
  name: body.name,
  planId: body.resource_plan_id,
  target: body.target,
  resourceGroupId: body.resource_group,
  parameters: body.parameters ?? {},
  allowCleanup: body.allow_cleanup ?? false,
  isLocked: entityLock?.toLowerCase() === 'true',
  tags: parseTagNames(body.tags ?? [], 'user'),
})

export const instancePatch = (body: InstancePatchBody | undefined): InstancePatch => ({
  ...(body?.name !== undefined && { name: body.name }),
  ...(body?.parameters !== undefined && { parameters: body.parameters }),
  ...(body?.resource_plan_id !== undefined && { planId: body.resource_plan_id }),
  ...(body?.allow_cleanup !== undefined && { allowCleanup: body.allow_cleanup }),
})

// Pages of instances --------------------------------------------------------------------------------------------------

const filterNames = [
  'guid',
  'name',
  'resource_group_id',
  'resource_id',
  'resource_plan_id',
  'type',
  'sub_type',
  'state',
  'updated_from',
  'updated_to',
] as const

type Asked = { readonly [Name in (typeof filterNames)[number]]?: string | undefined }

/** "Any additional query parameters are ignored if a page token is present": the token holds them all. */
export function instancePageRequest(query: InstanceQuery): InstancePageRequest {
  if (query.start === undefined) {
    const limit = Math.min(query.limit ?? resourcePageDefault, resourcePageDefault)
    return { filter: filterOf(query), direction: query.order_direction ?? 'asc', after: null, limit }
  }
  const parameters = new URLSearchParams(Buffer.from(query.start, 'base64url').toString())
  const [, createdAt, guid] = /^(\d{1,15})\.(.*)$/.exec(parameters.get('after') ?? '') ?? []
  if (createdAt === undefined || guid === undefined || !isUuid(guid)) throw badParameter('start', 'is not one of ours')
  return {
    filter: filterOf(Object.fromEntries(parameters)),
    direction: parameters.get('order_direction') === 'desc' ? 'desc' : 'asc',
    after: { createdAt: Number(createdAt), guid },
    limit: Math.min(Math.max(Number(parameters.get('limit')) || resourcePageDefault, 1), resourcePageDefault),
  }
}

/** The page token that `instancePageRequest` reads: the query as it was asked, and the last place of this page. */
export function pageToken(query: InstanceQuery, after: InstancePlace): string {
  if (query.start !== undefined) {
    const parameters = new URLSearchParams(Buffer.from(query.start, 'base64url').toString())
    parameters.set('after', `${after.createdAt}.${after.guid}`)
    return Buffer.from(parameters.toString()).toString('base64url')
  }
  const pairs = [...filterNames, 'order_direction' as const, 'limit' as const].flatMap((name) => {
    const value = query[name]
    return value === undefined ? [] : [[name, String(value)]]
  })
  const parameters = new URLSearchParams([...pairs, ['after', `${after.createdAt}.${after.guid}`]])
  return Buffer.from(parameters.toString()).toString('base64url')
}

function filterOf(asked: Asked): InstanceFilter {
  const updatedFrom =
    asked.updated_from === undefined ? undefined : instant('updated_from', asked.updated_from, 'start')
  const updatedTo = asked.updated_to === undefined ? undefined : instant('updated_to', asked.updated_to, 'end')
  const serviceNames = [
    ...(asked.resource_id === undefined ? [] : [serviceNamed(asked.resource_id)]),
    ...(asked.sub_type === undefined ? [] : [asked.sub_type]),
    // Every instance here is a service instance.
    ...(asked.type === undefined || asked.type === 'service_instance' ? [] : ['']),
  ]
  const [serviceName] = serviceNames
  return {
    ...(asked.guid !== undefined && { guid: asked.guid }),
    ...(asked.name !== undefined && { name: asked.name }),
    ...(asked.resource_group_id !== undefined && { resourceGroupId: asked.resource_group_id }),
    ...(asked.resource_plan_id !== undefined && { planId: asked.resource_plan_id }),
    ...(serviceName !== undefined && {
      serviceName: serviceNames.every((name) => name === serviceName) ? serviceName : '',
    }),
    states: asked.state === undefined ? listedByDefault : [asked.state],
    ...(updatedFrom !== undefined && { updatedFrom }),
    ...(updatedTo !== undefined && { updatedTo }),
  }
}

/** The service that the catalog's id stands for; clients send its name too. Empty for none, which finds nothing. */
const serviceNamed = (id: string): string =>
  catalogServices.find((service) => service.id === id || service.name === id)?.name ?? ''

/** A day by itself is all of it, since both ends are inclusive. */
function instant(name: string, text: string, end: 'start' | 'end'): number {
  const isDay = /^\d{4}-\d{2}-\d{2}$/.test(text)
  const at = Date.parse(isDay && end === 'end' ? `${text}T23:59:59.999Z` : text)
  if (Number.isNaN(at)) throw badParameter(name, 'is neither a day nor a time')
  return at
}

// Catalog, search, tags -----------------------------------------------------------------------------------------------

export const catalogListing = (query: CatalogQuery): CatalogListing => ({
  words: query.q ?? '',
  sort: query['sort-by'] ?? 'name',
  isDescending: query.descending === 'true' || query.descending === 'yes',
  offset: query['_offset'] ?? 0,
  limit: query['_limit'] ?? null,
})

/** "A wildcard (*) includes all properties"; single ones of the metadata are shown with all of it. */
export const catalogShown = (
  query: { readonly include?: string; readonly complete?: boolean; readonly depth?: string },
  baseUrl: string,
): Shown => ({
  baseUrl,
  hasMetadata: query.complete === true || /\*|metadata/.test(query.include ?? ''),
  depth: query.depth === '*' ? 3 : Math.min(Number(query.depth) || 0, 3),
})

export const searchRequest = (query: SearchQuery, body: SearchBody | undefined): SearchRequest => ({
  query: body?.query ?? '*',
  fields: body?.fields ?? [],
  cursor: body?.search_cursor ?? null,
  accountId: query.account_id ?? null,
  limit: query.limit ?? null,
  sort: query.sort === undefined ? [] : query.sort.split(',').filter((key) => key !== ''),
  reclaimed: query.is_reclaimed ?? 'false',
})

const badParameter = (name: string, why: string): Fault =>
  new Fault('invalid', `${name} ${why}`, { target: { type: 'parameter', name } })
