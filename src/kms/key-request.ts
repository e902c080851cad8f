// Wire to domain: where the names of the wire end. What the schemas leave open is checked here, with the documented codes.
// Source: Key Protect API v2, "Create a key", "List keys"; Key Protect, "Error messages".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import {
  aadStringLengthMax,
  aadStringsMax,
  aliasesPerKeyMax,
  keyDescriptionLength,
  keyNameLength,
  keyTagLengthMax,
  keyTagsMax,
} from '#base/limits.ts'
import { requireAlias } from './aliases.ts'
import { invalidField } from './base64.ts'
import { badBody, onlyResource } from './envelope.ts'
import { rotationMonthsOf } from './key-policy-request.ts'
import type { WantedKeyPolicies } from './policy.ts'
import { mediaType } from './schemas.ts'
import type { newKeyCollection, patchKeyBody, rotateBody, unwrapBody, wrapBody } from './schemas.ts'

export interface NewKey {
  readonly name: string
  readonly description: string | null
  readonly tags: readonly string[]
  readonly aliases: readonly string[]
  readonly extractable: boolean
  /** Null for generated material. */
  readonly imported: ImportedMaterial | null
  readonly expiresAt: number | null
  /** Instead of what the instance gives new keys, where it is said. */
  readonly policies: WantedKeyPolicies
}

/** Material that a caller brings: in base64, and encrypted to the import token where it says how. */
export interface ImportedMaterial {
  readonly payload: string
  readonly transport: Transport | null
}

export interface Transport {
  readonly encryptedNonce: string
  readonly iv: string
  /** Null where the caller leaves it to what the service has always taken. */
  readonly oaepHash: 'sha256' | 'sha1' | null
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

export type Preference = 'representation' | 'minimal'

export function newKey(body: NewKeyBody, now: number): NewKey {
  const resource = onlyResource(body, 'key')
  if (resource.type !== mediaType('key')) throw badBody('type', `type must be ${mediaType('key')}`)
  const { name, description, extractable, expirationDate } = resource
  requireLength('name', name, keyNameLength)
  if (description !== undefined) requireLength('description', description, keyDescriptionLength)
  return {
    name,
    description: description ?? null,
    tags: parseTags(resource),
    aliases: parseAliases(resource.aliases ?? []),
    extractable,
    imported: importedMaterial(resource),
    expiresAt: expirationDate === undefined ? null : parseFutureDate('expirationDate', expirationDate, now),
    policies: {
      rotation: resource.rotation ? rotationMonthsOf(resource.rotation) : null,
      dualAuthDelete: resource.dualAuthDelete ?? null,
    },
  }
}

/** Key Protect API, "Create a key": policies are said with a key only where they override those of the instance. */
export function newPlainKey(body: NewKeyBody, now: number): NewKey {
  for (const name of ['rotation', 'dualAuthDelete'] as const) {
    if (body.resources.some((resource) => resource[name] !== undefined)) {
      throw badBody(name, `${name} is not a field of this request`)
    }
  }
  return newKey(body, now)
}

/** The material that a body brings, or null. What comes with an import token comes whole. */
export function importedMaterial(fields: {
  readonly payload?: string
  readonly encryptedNonce?: string
  readonly iv?: string
  readonly encryptionAlgorithm?: string
}): ImportedMaterial | null {
  const { payload, encryptedNonce, iv, encryptionAlgorithm } = fields
  if (encryptedNonce === undefined && iv === undefined)
    return payload === undefined ? null : { payload, transport: null }
  for (const [name, value] of Object.entries({ payload, encryptedNonce, iv })) {
    if (value === undefined) throw invalidField(name, `${name} is needed: payload, encryptedNonce and iv come together`)
  }
  const transport = { encryptedNonce: encryptedNonce ?? '', iv: iv ?? '', oaepHash: oaepHashOf(encryptionAlgorithm) }
  return { payload: payload ?? '', transport }
}

function oaepHashOf(algorithm: string | undefined): Transport['oaepHash'] {
  if (algorithm === undefined) return null
  if (algorithm === 'RSAES_OAEP_SHA_256') return 'sha256'
  if (algorithm === 'RSAES_OAEP_SHA_1') return 'sha1'
  throw invalidField('encryptionAlgorithm', 'encryptionAlgorithm must be RSAES_OAEP_SHA_256 or RSAES_OAEP_SHA_1')
}

/** The ring that a key shall lie in. Clients spell the name of the field as they like. */
export function wantedKeyRing(body: Static<typeof patchKeyBody>): string {
  const [ring, ...others] = Object.values(body)
  if (typeof ring !== 'string' || ring === '' || others.length > 0) {
    throw badBody('keyRingID', 'keyRingID is the one thing that is changed')
  }
  return ring
}

export const wrapping = (body: Static<typeof wrapBody> | undefined): Wrapping => ({
  plaintext: body?.plaintext ?? null,
  aad: parseAad(body?.aad),
})

/** Key Protect, "Error messages": missing body in request. */
export function opening(body: Static<typeof unwrapBody> | undefined): Opening {
  if (body === undefined) throw new Fault('invalid', 'the action needs a body', { reason: 'NO_BODY_ERR' })
  return { ciphertext: body.ciphertext, aad: parseAad(body.aad) }
}

/** The new material of an imported key, or null. */
export const rotationMaterial = (body: Static<typeof rotateBody> | undefined): ImportedMaterial | null =>
  importedMaterial(body ?? {})

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

function parseAliases(aliases: readonly string[]): readonly string[] {
  if (aliases.length > aliasesPerKeyMax) throw invalidField('aliases', `aliases must be at most ${aliasesPerKeyMax}`)
  if (new Set(aliases).size < aliases.length) throw invalidField('aliases', 'aliases must differ from each other')
  return aliases.map((alias) => requireAlias(alias, 'aliases'))
}

function requireLength(field: string, value: string, length: { readonly min: number; readonly max: number }): void {
  const count = [...value].length
  const isText = value.isWellFormed() && !notText.test(value) && value.trim() !== ''
  if (isText && count >= length.min && count <= length.max) return
  throw invalidField(field, `${field} must have ${length.min} to ${length.max} visible characters`)
}

/** Controls, and the marks that turn the direction of what follows: a name must look like what it is. */
const notText = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u

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
  const ms = parseRfc3339(text)
  if (ms === null) throw invalidField(field, `${field} must be an RFC 3339 date and time`)
  if (ms <= now) throw invalidField(field, `${field} must lie in the future`)
  return ms
}

export function parseRfc3339(text: string): number | null {
  const ms = rfc3339Pattern.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? null : ms
}

const rfc3339Pattern = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/
