// Wire to domain: where the names of the wire end. What the schemas leave open is checked here, with the documented codes.
// Source: Key Protect API v2, "Create a key", "List keys"; Key Protect, "Error messages".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import {
  aadStringLengthMax,
  aadStringsMax,
  keyDescriptionLength,
  keyNameLength,
  keyPageDefault,
  keyTagLengthMax,
  keyTagsMax,
} from '#base/limits.ts'
import { invalidField } from './base64.ts'
import type { kmsContract } from './contract.ts'
import { keyStates, stateNumbers } from './key-state.ts'
import type { KeyState } from './key-state.ts'
import { mediaType } from './schemas.ts'
import type { newKeyCollection, rotateBody, unwrapBody, wrapBody } from './schemas.ts'
import { isSortField } from './tables-key.ts'
import type { Page, SortTerm } from './tables-key.ts'

export interface NewKey {
  readonly name: string
  readonly description: string | null
  readonly tags: readonly string[]
  readonly extractable: boolean
  /** Base64 of imported material, or null for generated material. */
  readonly payload: string | null
  readonly expiresAt: number | null
}

export interface KeyFilterRequest {
  readonly states: readonly KeyState[]
  readonly extractable: boolean | null
}

export interface ListRequest {
  readonly page: Page
  /** Whether the caller wants to know how many there are beyond the page. */
  readonly counting: boolean
}

export interface KeyListRequest extends KeyFilterRequest, ListRequest {
  readonly sort: readonly SortTerm[]
}

/** What is wrapped, in base64; null asks for something fresh. */
export interface Wrapping {
  readonly plaintext: string | null
  readonly aad: readonly string[]
}

/** What is opened, in base64, and what it was bound to. */
export interface Opening {
  readonly ciphertext: string
  readonly aad: readonly string[]
}

type NewKeyBody = Static<typeof newKeyCollection>
type FilterQuery = Static<(typeof kmsContract)['countKeys']['query']>
type ListQuery = Static<(typeof kmsContract)['listKeys']['query']>
type PageQuery = { readonly limit?: number; readonly offset?: number; readonly totalCount?: boolean }

export type Preference = 'representation' | 'minimal'

export function newKey(body: NewKeyBody, now: number): NewKey {
  const resource = onlyResource(body, mediaType('key'))
  for (const name of [...secureImportFields, 'aliases'] as const) {
    if (resource[name] !== undefined) throw notYet(name)
  }
  const { name, description, extractable, payload, expirationDate } = resource
  requireLength('name', name, keyNameLength)
  if (description !== undefined) requireLength('description', description, keyDescriptionLength)
  return {
    name,
    description: description ?? null,
    tags: parseTags(resource),
    extractable,
    payload: payload ?? null,
    expiresAt: expirationDate === undefined ? null : parseFutureDate('expirationDate', expirationDate, now),
  }
}

export const pageRequest = (query: PageQuery): ListRequest => ({
  page: { limit: query.limit || keyPageDefault, offset: query.offset ?? 0 },
  counting: query.totalCount === true,
})

/** Key Protect API, "List keys": without `state`, all but destroyed keys. */
export function keyFilterRequest(query: FilterQuery): KeyFilterRequest {
  for (const name of ['search', 'filter'] as const) {
    if (query[name] !== undefined) throw notYet(name, 'parameter')
  }
  return {
    states: query.state === undefined ? keyStates.filter((state) => state !== 'destroyed') : parseStates(query.state),
    extractable: query.extractable ?? null,
  }
}

export const keyListRequest = (query: ListQuery): KeyListRequest => ({
  ...keyFilterRequest(query),
  ...pageRequest(query),
  sort: query.sort === undefined ? [] : parseSort(query.sort),
})

export const wrapping = (body: Static<typeof wrapBody> | undefined): Wrapping => ({
  plaintext: body?.plaintext ?? null,
  aad: parseAad(body?.aad),
})

/** Key Protect, "Error messages": missing body in request. */
export function opening(body: Static<typeof unwrapBody> | undefined): Opening {
  if (body === undefined) throw new Fault('invalid', 'the action needs a body', { reason: 'NO_BODY_ERR' })
  return { ciphertext: body.ciphertext, aad: parseAad(body.aad) }
}

/** The new material of an imported key, in base64, or null. */
export function rotationPayload(body: Static<typeof rotateBody> | undefined): string | null {
  for (const name of secureImportFields) {
    if (body?.[name] !== undefined) throw notYet(name)
  }
  return body?.payload ?? null
}

/** RFC 7240, "return": a preference that is not understood is ignored. */
export function preference(header: string | undefined, absent: Preference): Preference {
  if (header === undefined) return absent
  if (/\breturn\s*=\s*"?minimal\b/i.test(header)) return 'minimal'
  return /\breturn\s*=\s*"?representation\b/i.test(header) ? 'representation' : absent
}

function parseAad(aad: readonly string[] | undefined): readonly string[] {
  if (aad === undefined) return []
  if (aad.length > aadStringsMax) throw invalidField('aad', `aad must have at most ${aadStringsMax} strings`)
  if (aad.some((text) => text.length > aadStringLengthMax || !text.isWellFormed())) {
    throw invalidField('aad', `strings of aad must be well-formed and have at most ${aadStringLengthMax} characters`)
  }
  return aad
}

/** For documented requests that a later stage serves: refused, since ignoring them would be a different answer. */
export const notYet = (name: string, type: 'field' | 'parameter' | 'header' = 'field'): Fault =>
  new Fault('not_implemented', `${name} is not served by this version`, {
    reason: 'FEATURE_RESTRICTED_ERR',
    target: { type, name },
  })

/** The envelope says how many resources it carries, and a key request carries exactly one of its kind. */
function onlyResource<Resource extends { readonly type: string }>(
  body: {
    readonly metadata: { readonly collectionType: string; readonly collectionTotal: number }
    readonly resources: readonly Resource[]
  },
  type: string,
): Resource {
  const { metadata, resources } = body
  if (metadata.collectionTotal !== resources.length) {
    const message = `collectionTotal is ${metadata.collectionTotal}, resources are ${resources.length}`
    throw new Fault('invalid', message, {
      reason: 'COLLECTION_TOTAL_MISMATCH_ERR',
      target: { type: 'field', name: 'metadata.collectionTotal' },
    })
  }
  const [resource, ...others] = resources
  if (!resource || others.length > 0) throw badBody('resources', 'resources must hold exactly one key')
  if (metadata.collectionType !== type) throw badBody('metadata.collectionType', `collectionType must be ${type}`)
  if (resource.type !== type) throw badBody('type', `type must be ${type}`)
  return resource
}

/** Key Protect, "Importing keys": what comes with an import token. */
const secureImportFields = ['encryptedNonce', 'iv', 'encryptionAlgorithm'] as const

const badBody = (name: string, message: string): Fault =>
  new Fault('invalid', message, { reason: 'BAD_BODY_ERR', target: { type: 'field', name } })

const invalidParameter = (name: string, message: string): Fault =>
  new Fault('invalid', message, { reason: 'INVALID_QUERY_PARAM_ERR', target: { type: 'parameter', name } })

function requireLength(field: string, value: string, length: { readonly min: number; readonly max: number }): void {
  const count = [...value].length
  if (value.isWellFormed() && count >= length.min && count <= length.max) return
  throw invalidField(field, `${field} must have ${length.min} to ${length.max} characters`)
}

/** The schema admits `tags` in any case, and the type system only what has a fixed name. */
function parseTags(resource: Readonly<Record<string, unknown>>): readonly string[] {
  const [found, ...others] = Object.entries(resource).filter(([name]) => name.toLowerCase() === 'tags')
  if (others.length > 0) throw badBody('tags', 'tags are given twice')
  if (!found || !Array.isArray(found[1])) return []
  const tags = found[1].filter((tag) => typeof tag === 'string')
  if (tags.length > keyTagsMax) throw invalidField('tags', `tags must be at most ${keyTagsMax}`)
  if (tags.some((tag) => tag.length > keyTagLengthMax || /[<>,:&|]/.test(tag) || !tag.isWellFormed())) {
    throw invalidField('tags', `a tag must have at most ${keyTagLengthMax} characters and none of < > , : & |`)
  }
  return tags
}

function parseFutureDate(field: string, text: string, now: number): number {
  const ms = rfc3339Pattern.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(ms)) throw invalidField(field, `${field} must be an RFC 3339 date and time`)
  if (ms <= now) throw invalidField(field, `${field} must lie in the future`)
  return ms
}

const rfc3339Pattern = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/

function parseStates(values: readonly string[]): readonly KeyState[] {
  return values
    .flatMap((value) => value.split(','))
    .map((value) => {
      const found = keyStates.find((state) => String(stateNumbers[state]) === value.trim())
      if (!found) throw invalidParameter('state', 'state must be a list of 0, 1, 2, 3 and 5')
      return found
    })
}

function parseSort(value: string): readonly SortTerm[] {
  return value.split(',').map((term) => {
    const descending = term.startsWith('-')
    const field = descending ? term.slice(1) : term
    if (!isSortField(field)) throw invalidParameter('sort', 'sort names a property that keys are not sorted by')
    return { field, descending }
  })
}
