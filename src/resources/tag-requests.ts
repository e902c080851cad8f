// Global Tagging's wire to domain: names, types, and the resources of a request, by name or by query.

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { tagPageDefault, tagPageMax } from '#base/limits.ts'
import type { Context } from '#iam/port.ts'
import type { resourcesContract } from './contract.ts'
import type { Search } from './search.ts'
import { parseTagNames } from './tag-name.ts'
import type { AttachMode, Tagging, TagListing, TagRequest } from './tags.ts'

type Contract = typeof resourcesContract
type TagQuery = Pick<Static<Contract['listTags']['query']>, 'account_id' | 'tag_type'>
type AttachQuery = Static<Contract['attachTag']['query']>
type TaggingBody = Static<Contract['attachTag']['body']>

export const tagRequest = (query: TagQuery): TagRequest => ({
  type: query.tag_type ?? 'user',
  accountId: query.account_id,
})

export const tagListing = (query: Static<Contract['listTags']['query']>): TagListing => ({
  ...tagRequest(query),
  attachedTo: query.attached_to,
  attachedOnly: query.attached_only ?? false,
  direction: query.order_by_name ?? 'asc',
  offset: query.offset ?? 0,
  limit: Math.min(query.limit ?? tagPageDefault, tagPageMax),
})

/** Resources by name come as they were sent, so that each has its result; those of a query are the ones it finds. */
export async function taggingOf(
  context: Context,
  search: Search,
  query: TagQuery,
  body: TaggingBody,
): Promise<Tagging> {
  const request = tagRequest(query)
  const sent = [...(body.tag_names ?? []), ...(body.tag_name === undefined ? [] : [body.tag_name])]
  if (sent.length === 0) throw missing('tag_names')
  const names = parseTagNames(sent, request.type)
  if (body.resources) return { ...request, names, crns: body.resources.map((resource) => resource.resource_id) }
  if (!body.query) throw missing('resources')
  return { ...request, names, crns: await search.crnsFor(context, body.query.query_string) }
}

export function attachMode(query: AttachQuery): AttachMode {
  if (query.replace === true && query.update === true) {
    throw new Fault('invalid', 'replace and update exclude each other', {
      target: { type: 'parameter', name: 'update' },
    })
  }
  return query.replace === true ? 'replace' : query.update === true ? 'update' : 'add'
}

const missing = (name: string): Fault =>
  new Fault('invalid', `${name} is required`, { target: { type: 'field', name } })
