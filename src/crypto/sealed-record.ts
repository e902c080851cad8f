// Secrets of the database, sealed with the master key: root key material, signing keys and the like. What is sealed for
// one purpose (a table and a row) opens for no other. A record names the master key it was sealed under, so that two can
// be in use while one replaces the other. The format is docs/formats.md, "Sealed record".

import { hkdfSync } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { lengthPrefixed, utf8 } from './length-prefixed.ts'
import { SecretBytes } from './secret-bytes.ts'
import { openXaes, sealXaes, xaesKeyBytes, xaesNonceBytes, xaesTagBytes } from './xaes-256-gcm.ts'

export const masterKeyBytes = 32
export const masterKeyIdBytes = 16

/** The master key stays the caller's, who keeps it as long as the sealer is used and disposes of it after. */
export function makeSealer(masterKey: SecretBytes, random: Random): Sealer {
  const keyId = masterKeyId(masterKey)
  return {
    seal(purpose, plaintext) {
      using key = deriveKey(masterKey, labels[2])
      const head = recordHead(2, keyId)
      const nonce = random.bytes(xaesNonceBytes)
      assert(nonce.length === xaesNonceBytes, 'a nonce has 24 bytes')
      const ciphertext = sealXaes({ key, nonce, plaintext, associatedData: bindNamed(head, purpose) })
      const sealed = new Uint8Array(head.length + nonce.length + ciphertext.length)
      sealed.set(head)
      sealed.set(nonce, head.length)
      sealed.set(ciphertext, head.length + nonce.length)
      return sealed
    },
    open(purpose, sealed) {
      const version = sealed[0]
      if (version !== 1 && version !== 2) throw sealedRecordRefusal()
      const head = sealed.subarray(0, version === 1 ? 1 : recordHeadBytes)
      if (sealed.length < head.length + xaesNonceBytes + xaesTagBytes) throw sealedRecordRefusal()
      if (version === 2 && sealedUnder(sealed) !== Buffer.from(keyId).toString('hex')) throw sealedRecordRefusal()
      using key = deriveKey(masterKey, labels[version])
      const nonce = sealed.subarray(head.length, head.length + xaesNonceBytes)
      const ciphertext = sealed.subarray(head.length + xaesNonceBytes)
      const associatedData = version === 1 ? bindUnnamed(purpose) : bindNamed(head, purpose)
      try {
        return openXaes({ key, nonce, ciphertext, associatedData })
      } catch (cause) {
        if (cause instanceof Fault) throw sealedRecordRefusal()
        throw cause
      }
    },
  }
}

/** The id, in hexadecimal, of the master key that a record says it was sealed under; null where it names none. */
export function sealedUnder(sealed: Uint8Array): string | null {
  if (sealed.length < recordHeadBytes || (sealed[0] !== 2 && sealed[0] !== 3)) return null
  return Buffer.from(sealed.subarray(1, recordHeadBytes)).toString('hex')
}

/**
 * 32 bytes that only this master key gives and that say nothing about it. They are stored in the clear, so that a wrong
 * master key is recognised at start, before anything is sealed with it.
 */
export function masterKeyCheck(masterKey: SecretBytes): Uint8Array {
  assert(masterKey.byteCount === masterKeyBytes, 'a master key has 32 bytes')
  return deriveKey(masterKey, checkLabel).use((bytes) => bytes.slice())
}

/** A master key is known by the beginning of its check value. */
export const masterKeyId = (masterKey: SecretBytes): Uint8Array =>
  masterKeyCheck(masterKey).subarray(0, masterKeyIdBytes)

/** Version 3 is sealed inside a PKCS#11 token, whose module does what this file does for the others. */
export const recordHeadBytes = 1 + masterKeyIdBytes

export function recordHead(version: 2 | 3, keyId: Uint8Array): Uint8Array {
  assert(keyId.length === masterKeyIdBytes, 'a master key id has 16 bytes')
  const head = new Uint8Array(recordHeadBytes)
  head[0] = version
  head.set(keyId, 1)
  return head
}

export const bindNamed = (head: Uint8Array, purpose: string): Uint8Array =>
  lengthPrefixed([utf8(`keyward sealed record v${head[0]}`), head.subarray(1), utf8(purpose)])

export const sealedRecordRefusal = (): Fault => new Fault('unprocessable', 'sealed record does not open')

const labels = { 1: 'keyward sealed record v1', 2: 'keyward sealed record v2' } as const
const checkLabel = 'keyward master key check v1'

const bindUnnamed = (purpose: string): Uint8Array => lengthPrefixed([utf8(labels[1]), utf8(purpose)])

/** HKDF-SHA256 (RFC 5869) without salt: the master key is uniform already, and the label keeps its uses apart. */
const deriveKey = (masterKey: SecretBytes, label: string): SecretBytes =>
  masterKey.use((key) => SecretBytes.own(new Uint8Array(hkdfSync('sha256', key, '', utf8(label), xaesKeyBytes))))
