// Material that comes in without being seen on the way: encrypted to a key pair made for it, together with a proof that it
// was made for this token. Standards: RSAES-OAEP (RFC 8017), AES-GCM (SP 800-38D), AES-CBC with the padding of PKCS #7.
// Who holds the key pair and for how long is kms/import-tokens.ts.

import { constants, createDecipheriv, createPrivateKey, generateKeyPair, privateDecrypt } from 'node:crypto'
import { promisify } from 'node:util'
import { Fault } from '#base/fault.ts'
import { importKeyBits } from '#base/limits.ts'
import { SecretBytes } from './secret-bytes.ts'

export interface ImportKeyPair {
  /** SubjectPublicKeyInfo, PEM. */
  readonly publicKey: string
  /** PKCS #8, DER. Owned by the receiver. */
  readonly privateKey: SecretBytes
}

/** Takes a second or so, on a thread of its own. */
export async function generateImportKeyPair(): Promise<ImportKeyPair> {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: importKeyBits,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'der' },
  })
  return { publicKey, privateKey: SecretBytes.own(privateKey) }
}

export type OaepHash = 'sha256' | 'sha1'

/** The material inside, owned by the caller. */
export function openTransport(transport: {
  readonly ciphertext: Uint8Array
  readonly privateKey: SecretBytes
  readonly oaepHash: OaepHash
}): SecretBytes {
  const { ciphertext, privateKey, oaepHash } = transport
  const key = privateKey.use((der) => createPrivateKey({ key: Buffer.from(der), type: 'pkcs8', format: 'der' }))
  try {
    return SecretBytes.own(privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, ciphertext))
  } catch {
    throw refusal('INCORRECT_NONCE_ERR', 'payload does not open with the key of the import token')
  }
}

/** Key Protect sends the nonce under AES-GCM with 12 bytes of IV, Hyper Protect Crypto Services under AES-CBC with 16. */
export function openNonce(sent: {
  readonly encryptedNonce: Uint8Array
  readonly iv: Uint8Array
  readonly material: SecretBytes
}): Uint8Array {
  const { encryptedNonce, iv, material } = sent
  try {
    return material.use((key) =>
      iv.length === 16 ? openCbc(key, iv, encryptedNonce) : openGcm(key, iv, encryptedNonce),
    )
  } catch {
    throw refusal('INCORRECT_NONCE_IV_ERR', 'encryptedNonce does not open with the payload and the iv')
  }
}

function openGcm(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array): Uint8Array {
  if (iv.length !== 12 || sealed.length < gcmTagBytes) throw new RangeError('not a nonce under AES-GCM')
  const decipher = createDecipheriv(`aes-${bitsOf(key)}-gcm`, key, iv, { authTagLength: gcmTagBytes })
  decipher.setAuthTag(sealed.subarray(sealed.length - gcmTagBytes))
  return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - gcmTagBytes)), decipher.final()])
}

function openCbc(key: Uint8Array, iv: Uint8Array, sealed: Uint8Array): Uint8Array {
  const decipher = createDecipheriv(`aes-${bitsOf(key)}-cbc`, key, iv)
  return Buffer.concat([decipher.update(sealed), decipher.final()])
}

function bitsOf(key: Uint8Array): 128 | 192 | 256 {
  if (key.length === 16) return 128
  return key.length === 24 ? 192 : 256
}

const gcmTagBytes = 16

const refusal = (reason: string, message: string): Fault => new Fault('invalid', message, { reason })
