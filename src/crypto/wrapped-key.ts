// Data keys, and whatever a caller gives the wrap action, under one version of a root key. The bytes name the version,
// so that old ones stay readable after a rotation; they are bound to the key, the version and the caller's associated
// data. The format is docs/formats.md, "Wrapped data key".

import { hkdfSync } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import { wrapPlaintextBytesMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import { lengthPrefixed, utf8 } from './length-prefixed.ts'
import { SecretBytes } from './secret-bytes.ts'
import { openXaes, sealXaes, xaesKeyBytes, xaesNonceBytes, xaesTagBytes } from './xaes-256-gcm.ts'

export interface Wrap {
  /** The caller still owns it. */
  readonly plaintext: Uint8Array
  /** Material of the root key version: 16, 24 or 32 bytes. The caller still owns it. */
  readonly rootKey: SecretBytes
  readonly keyId: string
  readonly versionId: string
  readonly aad: readonly string[]
  readonly random: Random
}

export interface Unwrap {
  readonly wrapped: Uint8Array
  /** Material of the version that `versionOf(wrapped)` names. */
  readonly rootKey: SecretBytes
  readonly keyId: string
  readonly aad: readonly string[]
}

export function wrapKey({ plaintext, rootKey, keyId, versionId, aad, random }: Wrap): Uint8Array {
  assert(plaintext.length <= wrapPlaintextBytesMax, 'a plaintext is not longer than the wrap action takes')
  if (!aad.every((text) => text.isWellFormed())) {
    throw new Fault('invalid', 'additional authenticated data must be well-formed Unicode')
  }
  const nonce = random.bytes(xaesNonceBytes)
  assert(nonce.length === xaesNonceBytes, 'a nonce has 24 bytes')
  const head = new Uint8Array(headBytes)
  head[0] = version
  head.set(uuidBytes(versionId), 1)

  using key = deriveKey(rootKey, keyId, head)
  const ciphertext = sealXaes({ key, nonce, plaintext, associatedData: bind({ head, keyId, aad }) })
  const wrapped = new Uint8Array(headBytes + xaesNonceBytes + ciphertext.length)
  wrapped.set(head)
  wrapped.set(nonce, headBytes)
  wrapped.set(ciphertext, headBytes + xaesNonceBytes)

  assert(versionOf(wrapped) === versionId, 'a wrapped key asks for the version that wrapped it')
  return wrapped
}

/** Owned by the caller. One Fault for every way of not opening: it does not tell which of the inputs is wrong. */
export function unwrapKey({ wrapped, rootKey, keyId, aad }: Unwrap): SecretBytes {
  if (versionOf(wrapped) === null || !aad.every((text) => text.isWellFormed())) throw refusal()
  const head = wrapped.subarray(0, headBytes)
  const nonce = wrapped.subarray(headBytes, headBytes + xaesNonceBytes)
  const ciphertext = wrapped.subarray(headBytes + xaesNonceBytes)

  using key = deriveKey(rootKey, keyId, head)
  try {
    return SecretBytes.own(openXaes({ key, nonce, ciphertext, associatedData: bind({ head, keyId, aad }) }))
  } catch (cause) {
    if (cause instanceof Fault) throw refusal()
    throw cause
  }
}

/**
 * The root key version these bytes ask for, or null when they cannot be a wrapped key of ours. The version is a claim:
 * whoever finds no such version refuses with the words of `unwrapKey`, by throwing `wrappedKeyRefusal()`.
 */
export function versionOf(wrapped: Uint8Array): string | null {
  if (wrapped.length < overheadBytes || wrapped.length > overheadBytes + wrapPlaintextBytesMax) return null
  if (wrapped[0] !== version) return null
  const hex = Buffer.from(wrapped.subarray(1, headBytes)).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

export const wrappedKeyRefusal = (): Fault =>
  new Fault('unprocessable', 'wrapped key does not open', { reason: 'UNPROCESSABLE_CIPHERTEXT_ERR' })

const refusal = wrappedKeyRefusal
const version = 1
const headBytes = 1 + 16
const overheadBytes = headBytes + xaesNonceBytes + xaesTagBytes
const label = 'keyward wrapped key v1'

function uuidBytes(uuid: string): Uint8Array {
  assert(isUuid(uuid), 'keys and their versions are named by UUIDs')
  return Buffer.from(uuid.replaceAll('-', ''), 'hex')
}

const bind = (context: { head: Uint8Array; keyId: string; aad: readonly string[] }): Uint8Array =>
  lengthPrefixed([utf8(label), context.head, uuidBytes(context.keyId), ...context.aad.map(utf8)])

/**
 * HKDF-SHA256 (RFC 5869) brings imported material of 16, 24 or 32 bytes to the one key length of XAES, and gives every
 * version of every key its own key even where the same material was imported twice.
 */
function deriveKey(rootKey: SecretBytes, keyId: string, head: Uint8Array): SecretBytes {
  assert([16, 24, 32].includes(rootKey.byteCount), 'root key material has 16, 24 or 32 bytes')
  const info = lengthPrefixed([utf8(label), uuidBytes(keyId), head.subarray(1)])
  return rootKey.use((key) => SecretBytes.own(new Uint8Array(hkdfSync('sha256', key, '', info, xaesKeyBytes))))
}
