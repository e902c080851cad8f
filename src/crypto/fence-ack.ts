// What a disk process signs after it has fenced: stopped serving, wiped the key, cut the connections. Whoever keeps the
// signature can show later who said so, about which lease and resource, and when. The format is docs/formats.md, "Fence
// acknowledgement".

import { createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { lengthPrefixed, utf8 } from './length-prefixed.ts'

export interface FenceStatement {
  readonly holderId: string
  readonly leaseId: string
  readonly resourceCrn: string
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  readonly fencedAt: number
}

export function encodeFenceAck(ack: FenceStatement): Uint8Array {
  assert(Number.isSafeInteger(ack.fencedAt) && ack.fencedAt >= 0, 'a time is a whole number of milliseconds')
  const time = new Uint8Array(8)
  new DataView(time.buffer).setBigUint64(0, BigInt(ack.fencedAt))
  return lengthPrefixed([utf8(label), utf8(ack.holderId), utf8(ack.leaseId), utf8(ack.resourceCrn), time])
}

/** Ed25519 (RFC 8032), 64 bytes; the same statement always gives the same signature. */
export function signFenceAck(privateKey: KeyObject, ack: FenceStatement): Uint8Array {
  assert(privateKey.asymmetricKeyType === 'ed25519', 'acknowledgements are signed with Ed25519')
  return new Uint8Array(sign(null, encodeFenceAck(ack), privateKey))
}

/** False for whatever is wrong: statement, signature, or a public key (SPKI DER) that is none or of another kind. */
export function verifyFenceAck(publicKeyDer: Uint8Array, ack: FenceStatement, signature: Uint8Array): boolean {
  if (!isStatement(ack)) return false
  const key = parsePublicKey(publicKeyDer)
  return key?.asymmetricKeyType === 'ed25519' && verify(null, encodeFenceAck(ack), key, signature)
}

const label = 'keyward fence acknowledgement v1'

/** Whether this can have been signed at all: it comes from another process. */
const isStatement = (ack: FenceStatement): boolean =>
  [ack.holderId, ack.leaseId, ack.resourceCrn].every((text) => text.isWellFormed()) &&
  Number.isSafeInteger(ack.fencedAt) &&
  ack.fencedAt >= 0

function parsePublicKey(der: Uint8Array): KeyObject | null {
  try {
    return createPublicKey({ key: Buffer.from(der), format: 'der', type: 'spki' })
  } catch {
    return null
  }
}
