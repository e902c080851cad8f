// The envelope of the API: every list and every single thing, going in and coming out, is an array of resources with a
// word on what they are. Source: Key Protect API v2, "Metadata"; Key Protect, "Error messages".

import { Fault } from '#base/fault.ts'
import { mediaType } from './schemas.ts'
import type { Kind } from './schemas.ts'

interface Envelope<Resource> {
  readonly metadata: { readonly collectionType: string; readonly collectionTotal: number }
  readonly resources: readonly Resource[]
}

/** The resources of a request, which says how many it carries and of which kind. */
export function resourcesOf<Resource>(body: Envelope<Resource>, kind: Kind): readonly Resource[] {
  const { metadata, resources } = body
  if (metadata.collectionTotal !== resources.length) {
    const message = `collectionTotal is ${metadata.collectionTotal}, resources are ${resources.length}`
    throw new Fault('invalid', message, {
      reason: 'COLLECTION_TOTAL_MISMATCH_ERR',
      target: { type: 'field', name: 'metadata.collectionTotal' },
    })
  }
  if (metadata.collectionType === mediaType(kind)) return resources
  throw badBody('metadata.collectionType', `collectionType must be ${mediaType(kind)}`)
}

export function onlyResource<Resource>(body: Envelope<Resource>, kind: Kind): Resource {
  const resources = resourcesOf(body, kind)
  const [resource, ...others] = resources
  if (!resource || others.length > 0) throw badBody('resources', `resources must hold exactly one ${kind}`)
  return resource
}

/** `collectionTotal` is the length of this page, by which clients page; `totalCount` only where they asked for it. */
export function envelope<Resource>(kind: Kind, resources: Resource[], totalCount: number | null = null) {
  const metadata = { collectionType: mediaType(kind), collectionTotal: resources.length }
  return { metadata: totalCount === null ? metadata : { ...metadata, totalCount }, resources }
}

export const badBody = (name: string, message: string): Fault =>
  new Fault('invalid', message, { reason: 'BAD_BODY_ERR', target: { type: 'field', name } })

export const invalidParameter = (name: string, message: string): Fault =>
  new Fault('invalid', message, { reason: 'INVALID_QUERY_PARAM_ERR', target: { type: 'parameter', name } })
