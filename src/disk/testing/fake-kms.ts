// A key manager in memory, for tests of the data plane: it wraps the data keys that it makes, opens no others, and can
// take a resource's key away.

import { createCipheriv, createDecipheriv, randomBytes, randomUUID } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import { dataKeyBytes, leaseMs as defaultLeaseMs } from '#base/limits.ts'
import { sealLeasedKey } from '#crypto/leased-key.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import type { Lease, LeaseHolder, LeaseRequest, LeasedDataKey } from '#kms/port.ts'
import type { LeaseKms } from '../leases.ts'

const nonceBytes = 12
const tagBytes = 16

export interface FakeKms extends LeaseKms {
  wrapNewKey(resourceCrn: string): Uint8Array
  /** A text for a file, bound to nothing. */
  wrapPassphrase(passphrase: string): Uint8Array
  /** The data key inside: what a test's other tools open the image with. */
  unwrap(resourceCrn: string, wrapped: Uint8Array): Uint8Array
  /** Leases that are held now. */
  leaseIds(resourceCrn: string): string[]
  disable(resourceCrn: string): void
  enable(resourceCrn: string): void
  /** One of several keys of a resource; the leases that have ended with it. */
  disableKey(wrapped: Uint8Array): string[]
  enableKey(wrapped: Uint8Array): void
  /** Neither answers nor refuses from now on: the network is gone. */
  vanish(): void
}

export function makeFakeKms({ leaseMs = defaultLeaseMs } = {}): FakeKms {
  const root = randomBytes(32)
  const disabled = new Set<string>()
  const held = new Map<string, { holderId: string; resourceCrn: string; name: string }>()
  let hasVanished = false

  const answer = async <Value>(work: () => Value): Promise<Value> => {
    if (hasVanished) await new Promise<never>(() => undefined)
    return work()
  }

  function unwrap(resourceCrn: string, wrapped: Uint8Array): Uint8Array {
    const decipher = createDecipheriv('aes-256-gcm', root, wrapped.subarray(0, nonceBytes))
    decipher.setAAD(Buffer.from(resourceCrn))
    decipher.setAuthTag(wrapped.subarray(wrapped.length - tagBytes))
    const dataKey = decipher.update(wrapped.subarray(nonceBytes, wrapped.length - tagBytes))
    try {
      decipher.final()
    } catch (cause) {
      throw new Fault('unprocessable', 'the wrapped data key does not open', {
        reason: 'UNPROCESSABLE_CIPHERTEXT_ERR',
        cause,
      })
    }
    return new Uint8Array(dataKey)
  }

  function wrap(resourceCrn: string, plaintext: Uint8Array): Uint8Array {
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', root, nonce)
    cipher.setAAD(Buffer.from(resourceCrn))
    const body = Buffer.concat([cipher.update(plaintext), cipher.final()])
    return new Uint8Array(Buffer.concat([nonce, body, cipher.getAuthTag()]))
  }

  function lease(holderId: string, { resourceCrn, wrapped, recipientKey, isPassphrase }: LeaseRequest): LeasedDataKey {
    if (disabled.has(resourceCrn) || disabled.has(nameOf(wrapped))) {
      throw new Fault('conflict', 'the root key of this volume is disabled', { reason: 'KEY_ACTION_INVALID_STATE_ERR' })
    }
    const leaseId = randomUUID()
    using dataKey = SecretBytes.own(unwrap(isPassphrase === true ? '' : resourceCrn, wrapped))
    held.set(leaseId, { holderId, resourceCrn, name: nameOf(wrapped) })
    const sealedDataKey = sealLeasedKey(dataKey, recipientKey, { holderId, leaseId, resourceCrn })
    return { leaseId, leaseMs, sealedDataKey }
  }

  function renew(holderId: string, leaseIds: readonly string[]): Lease[] {
    const live = leaseIds.filter((leaseId) => held.get(leaseId)?.holderId === holderId)
    return live.map((leaseId) => ({ leaseId, leaseMs }))
  }

  return {
    leaseDataKey: (holderId, request) => answer(() => lease(holderId, request)),
    renewLeases: (holderId, leaseIds) => answer(() => renew(holderId, leaseIds)),
    releaseLeases: (_, leaseIds) =>
      answer(() => {
        for (const leaseId of leaseIds) held.delete(leaseId)
      }),
    wrapNewKey: (resourceCrn) => wrap(resourceCrn, randomBytes(dataKeyBytes)),
    wrapPassphrase: (passphrase) => wrap('', Buffer.from(passphrase)),
    unwrap,
    leaseIds: (resourceCrn) => [...held].filter(([, lease]) => lease.resourceCrn === resourceCrn).map(([id]) => id),
    disable(resourceCrn) {
      disabled.add(resourceCrn)
      for (const [leaseId, lease] of held) if (lease.resourceCrn === resourceCrn) held.delete(leaseId)
    },
    enable: (resourceCrn) => void disabled.delete(resourceCrn),
    disableKey(wrapped) {
      disabled.add(nameOf(wrapped))
      const ended = [...held].flatMap(([leaseId, { name }]) => (name === nameOf(wrapped) ? leaseId : []))
      for (const leaseId of ended) held.delete(leaseId)
      return ended
    },
    enableKey: (wrapped) => void disabled.delete(nameOf(wrapped)),
    vanish: () => {
      hasVanished = true
    },
  }
}

const nameOf = (wrapped: Uint8Array): string => Buffer.from(wrapped).toString('hex')

/** Tells every holder, as the key manager does after it has committed. */
export async function fenceAll(holders: readonly LeaseHolder[], leaseIds: readonly string[]) {
  const acks = await Promise.all(holders.map((holder) => holder.fence(leaseIds)))
  return acks.flat()
}
