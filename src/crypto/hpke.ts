// Sealing to a public key: HPKE (RFC 9180), base mode, one message for each key pair of the sender. The suite is
// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, for which the RFC itself prints vectors (Appendix A.2). KEM
// and AEAD are OpenSSL's; what is here is the key schedule of section 5.1.

import { createCipheriv, createDecipheriv, createHmac, createPublicKey } from 'node:crypto'
import { decapsulate, encapsulate, generateKeyPairSync } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import { SecretBytes } from './secret-bytes.ts'

export const recipientKeyBytes = 32
const encapsulatedBytes = 32
const tagBytes = 16
export const sealedExtraBytes = encapsulatedBytes + tagBytes

/** What a message is for. It opens only where both are the same again. */
export interface Binding {
  readonly info: Uint8Array
  readonly associatedData: Uint8Array
}

export interface Recipient {
  /** As RFC 7748 writes it. */
  readonly publicKey: Uint8Array
  /** The message, owned by the caller. One Fault ('unprocessable') for every way of not opening. */
  open(sealed: Uint8Array, binding: Binding): SecretBytes
}

/** A key pair for one message or a few. OpenSSL wipes the private key when nothing refers to the recipient any more. */
export const makeRecipient = (): Recipient => recipientOf(generateKeyPairSync('x25519').privateKey)

export function recipientOf(privateKey: KeyObject): Recipient {
  const publicKey = new Uint8Array(createPublicKey(privateKey).export({ format: 'raw-public' }))
  return {
    publicKey,
    open(sealed, binding) {
      if (sealed.length < sealedExtraBytes) throw refusal()
      using shared = decapsulated(privateKey, sealed.subarray(0, encapsulatedBytes))
      using schedule = keySchedule(shared, binding.info)
      const ciphertext = sealed.subarray(encapsulatedBytes, sealed.length - tagBytes)
      const decipher = schedule.use((key, nonce) => createDecipheriv(aead, key, nonce, { authTagLength: tagBytes }))
      decipher.setAAD(binding.associatedData, { plaintextLength: ciphertext.length })
      decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
      const opened = SecretBytes.own(decipher.update(ciphertext))
      try {
        decipher.final()
      } catch {
        opened[Symbol.dispose]()
        throw refusal()
      }
      return opened
    },
  }
}

/** Encapsulated key, ciphertext and tag. Fault 'invalid' where the public key is none that anybody can have. */
export function sealTo(publicKey: Uint8Array, message: SecretBytes, binding: Binding): Uint8Array {
  const { sharedKey, ciphertext: encapsulated } = encapsulatedFor(publicKey)
  using shared = SecretBytes.own(sharedKey)
  using schedule = keySchedule(shared, binding.info)
  const cipher = schedule.use((key, nonce) => createCipheriv(aead, key, nonce, { authTagLength: tagBytes }))
  cipher.setAAD(binding.associatedData, { plaintextLength: message.byteCount })
  const body = message.use((bytes) => cipher.update(bytes))
  cipher.final()
  return new Uint8Array(Buffer.concat([encapsulated, body, cipher.getAuthTag()]))
}

const aead = 'chacha20-poly1305'

function encapsulatedFor(publicKey: Uint8Array): { sharedKey: Buffer; ciphertext: Buffer } {
  try {
    const key = Buffer.from(publicKey)
    return encapsulate(createPublicKey({ key, format: 'raw-public', asymmetricKeyType: 'x25519' }))
  } catch {
    throw new Fault('invalid', 'what is to be sealed to is no public key of X25519')
  }
}

function decapsulated(privateKey: KeyObject, encapsulated: Uint8Array): SecretBytes {
  try {
    return SecretBytes.own(decapsulate(privateKey, encapsulated))
  } catch {
    throw refusal()
  }
}

const refusal = (): Fault => new Fault('unprocessable', 'what was sealed to a public key does not open')

const suite = Buffer.from('HPKE\x00\x20\x00\x01\x00\x03', 'latin1')
const modeBase = 0
const nonceBytes = 12

interface Schedule extends Disposable {
  use<T>(work: (key: Uint8Array, nonce: Uint8Array) => T): T
}

/** "KeySchedule" of section 5.1 in base mode: key and nonce of the first message. */
function keySchedule(shared: SecretBytes, info: Uint8Array): Schedule {
  const none = new Uint8Array()
  const ids = [extract(none, 'psk_id_hash', none), extract(none, 'info_hash', info)]
  const context = Buffer.concat([Buffer.of(modeBase), ...ids])
  using secret = SecretBytes.own(shared.use((salt) => extract(salt, 'secret', none)))
  const key = SecretBytes.own(secret.use((prk) => expand(prk, 'key', context, 32)))
  const nonce = secret.use((prk) => expand(prk, 'base_nonce', context, nonceBytes))
  return {
    use: (work) => key.use((bytes) => work(bytes, nonce)),
    [Symbol.dispose]: () => key[Symbol.dispose](),
  }
}

/** "LabeledExtract" of section 4. */
const extract = (salt: Uint8Array, label: string, input: Uint8Array): Uint8Array =>
  hmac(salt, Buffer.from('HPKE-v1'), suite, Buffer.from(label), input)

/** "LabeledExpand" of section 4, of no more than one block of HKDF-Expand. */
function expand(prk: Uint8Array, label: string, info: Uint8Array, byteCount: number): Uint8Array {
  const head = Buffer.alloc(2)
  head.writeUInt16BE(byteCount)
  const parts = [head, Buffer.from('HPKE-v1'), suite, Buffer.from(label), info, Buffer.of(1)]
  return hmac(prk, ...parts).subarray(0, byteCount)
}

function hmac(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', key)
  for (const part of parts) mac.update(part)
  return mac.digest()
}
