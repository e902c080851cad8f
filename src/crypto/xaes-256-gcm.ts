// XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM with a nonce of 24 bytes, long enough to be drawn at random for
// every message of a key without counting messages (2^80 of them for a collision risk of 2^-32). The first half of the
// nonce derives a key for this message, the second half is that key's nonce. It is not key-committing: callers name
// the key in what they bind, and do not try keys until one opens.

import { createCipheriv, createDecipheriv } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { SecretBytes } from './secret-bytes.ts'

export const xaesKeyBytes = 32
export const xaesNonceBytes = 24
export const xaesTagBytes = 16

interface XaesInputs {
  readonly key: SecretBytes | Uint8Array
  readonly nonce: Uint8Array
  readonly associatedData: Uint8Array
}

/** Ciphertext and tag. The caller never seals two messages under one key and nonce. */
export function sealXaes(message: XaesInputs & { readonly plaintext: Uint8Array }): Uint8Array {
  using messageKey = deriveMessageKey(message)
  const cipher = messageKey.use((key) =>
    createCipheriv('aes-256-gcm', key, gcmNonce(message.nonce), { authTagLength: xaesTagBytes }),
  )
  cipher.setAAD(message.associatedData)
  const body = cipher.update(message.plaintext)
  cipher.final()
  const sealed = new Uint8Array(body.length + xaesTagBytes)
  sealed.set(body)
  sealed.set(cipher.getAuthTag(), body.length)

  assert(sealed.length === message.plaintext.length + xaesTagBytes, 'a sealed message is one tag longer')
  return sealed
}

/** The plaintext, owned by the caller, who wipes it. One Fault ('unprocessable') for every way of not opening. */
export function openXaes(message: XaesInputs & { readonly ciphertext: Uint8Array }): Uint8Array {
  const bodyBytes = message.ciphertext.length - xaesTagBytes
  if (bodyBytes < 0) throw refusal()
  using messageKey = deriveMessageKey(message)
  const decipher = messageKey.use((key) =>
    createDecipheriv('aes-256-gcm', key, gcmNonce(message.nonce), { authTagLength: xaesTagBytes }),
  )
  decipher.setAAD(message.associatedData)
  decipher.setAuthTag(message.ciphertext.subarray(bodyBytes))
  const opened = decipher.update(message.ciphertext.subarray(0, bodyBytes))
  try {
    decipher.final()
  } catch {
    opened.fill(0)
    throw refusal()
  }
  return new Uint8Array(opened.buffer, opened.byteOffset, opened.length)
}

const refusal = (): Fault => new Fault('unprocessable', 'sealed bytes do not open')

const gcmNonce = (nonce: Uint8Array): Uint8Array => nonce.subarray(12)

/**
 * NIST SP 800-108r1 in counter mode over AES-CMAC, as the specification spells it out. Each CMAC input is one block, so
 * a CMAC is one AES call on the block and the first CMAC subkey.
 */
function deriveMessageKey({ key, nonce }: XaesInputs): SecretBytes {
  assert(nonce.length === xaesNonceBytes, 'a nonce of XAES-256-GCM has 24 bytes')
  return key instanceof SecretBytes ? key.use((bytes) => derive(bytes, nonce)) : derive(key, nonce)
}

function derive(key: Uint8Array, nonce: Uint8Array): SecretBytes {
  assert(key.length === xaesKeyBytes, 'a key of XAES-256-GCM has 32 bytes')
  const subkey = cmacSubkey(key)
  const blocks = Buffer.alloc(32)
  for (const counter of [1, 2]) {
    const block = blocks.subarray((counter - 1) * 16, counter * 16)
    block[1] = counter
    block[2] = 0x58
    block.set(nonce.subarray(0, 12), 4)
    for (const [i, byte] of subkey.entries()) block[i] = (block[i] ?? 0) ^ byte
  }
  const messageKey = aesBlocks(key, blocks)
  subkey.fill(0)
  blocks.fill(0)
  return SecretBytes.own(messageKey)
}

/** NIST SP 800-38B, section 6.1: the encrypted zero block, doubled in GF(2^128). */
function cmacSubkey(key: Uint8Array): Uint8Array {
  const zero = aesBlocks(key, new Uint8Array(16))
  const subkey = new Uint8Array(16)
  for (const [i, byte] of zero.entries()) subkey[i] = ((byte << 1) & 0xff) | ((zero[i + 1] ?? 0) >> 7)
  // Without a branch on the secret bit.
  subkey[15] = (subkey[15] ?? 0) ^ (0x87 * ((zero[0] ?? 0) >> 7))
  zero.fill(0)
  return subkey
}

/** AES on each block by itself. This is the block cipher of a derivation, not a mode in which data are encrypted. */
const aesBlocks = (key: Uint8Array, blocks: Uint8Array): Uint8Array =>
  createCipheriv('aes-256-ecb', key, null).setAutoPadding(false).update(blocks)
