// Secrets of the database, sealed with the master key: root key material, signing keys and the like. What is sealed for
// one purpose (a table and a row) opens for no other. The format is docs/formats.md, "Sealed record".

import { hkdfSync } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { lengthPrefixed, utf8 } from './length-prefixed.ts'
import { SecretBytes } from './secret-bytes.ts'
import { openXaes, sealXaes, xaesKeyBytes, xaesNonceBytes, xaesTagBytes } from './xaes-256-gcm.ts'

export const masterKeyBytes = 32

/** The master key stays the caller's, who keeps it as long as the sealer is used and disposes of it after. */
export function makeSealer(masterKey: SecretBytes, random: Random): Sealer {
  assert(masterKey.byteCount === masterKeyBytes, 'a master key has 32 bytes')
  return {
    seal(purpose, plaintext) {
      using key = deriveKey(masterKey, recordLabel)
      const nonce = random.bytes(xaesNonceBytes)
      assert(nonce.length === xaesNonceBytes, 'a nonce has 24 bytes')
      const ciphertext = sealXaes({ key, nonce, plaintext, associatedData: bind(purpose) })
      const sealed = new Uint8Array(headerBytes + ciphertext.length)
      sealed[0] = version
      sealed.set(nonce, 1)
      sealed.set(ciphertext, headerBytes)
      return sealed
    },
    open(purpose, sealed) {
      if (sealed.length < headerBytes + xaesTagBytes || sealed[0] !== version) throw refusal()
      using key = deriveKey(masterKey, recordLabel)
      const nonce = sealed.subarray(1, headerBytes)
      try {
        return openXaes({ key, nonce, ciphertext: sealed.subarray(headerBytes), associatedData: bind(purpose) })
      } catch (cause) {
        if (cause instanceof Fault) throw refusal()
        throw cause
      }
    },
  }
}

/**
 * 32 bytes that only this master key gives and that say nothing about it. They are stored in the clear, so that a wrong
 * master key is recognised at start, before anything is sealed with it.
 */
export function masterKeyCheck(masterKey: SecretBytes): Uint8Array {
  assert(masterKey.byteCount === masterKeyBytes, 'a master key has 32 bytes')
  return deriveKey(masterKey, checkLabel).use((bytes) => bytes.slice())
}

const version = 1
const headerBytes = 1 + xaesNonceBytes
const recordLabel = 'keyward sealed record v1'
const checkLabel = 'keyward master key check v1'

const bind = (purpose: string): Uint8Array => lengthPrefixed([utf8(recordLabel), utf8(purpose)])

const refusal = (): Fault => new Fault('unprocessable', 'sealed record does not open')

/** HKDF-SHA256 (RFC 5869) without salt: the master key is uniform already, and the label keeps its uses apart. */
const deriveKey = (masterKey: SecretBytes, label: string): SecretBytes =>
  masterKey.use((key) => SecretBytes.own(new Uint8Array(hkdfSync('sha256', key, '', utf8(label), xaesKeyBytes))))
