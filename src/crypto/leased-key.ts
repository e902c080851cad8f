// A data key on its way to the disk process that has leased it: sealed to a key pair that was made for this request, so that
// what the channel between processes leaves behind in memory is of no use. The format is docs/formats.md, "Leased data key".

import { sealTo } from './hpke.ts'
import type { Binding, Recipient } from './hpke.ts'
import { lengthPrefixed, utf8 } from './length-prefixed.ts'
import type { SecretBytes } from './secret-bytes.ts'

/** Whose key it is, and for what. */
export interface LeasedFor {
  readonly holderId: string
  readonly leaseId: string
  readonly resourceCrn: string
}

/** Fault 'invalid' where `publicKey` is none. */
export const sealLeasedKey = (dataKey: SecretBytes, publicKey: Uint8Array, leasedFor: LeasedFor): Uint8Array =>
  sealTo(publicKey, dataKey, bindingOf(leasedFor))

/** The data key, owned by the caller. Fault 'unprocessable' for every way of not opening. */
export const openLeasedKey = (sealed: Uint8Array, recipient: Recipient, leasedFor: LeasedFor): SecretBytes =>
  recipient.open(sealed, bindingOf(leasedFor))

const bindingOf = ({ holderId, leaseId, resourceCrn }: LeasedFor): Binding => ({
  info: utf8('keyward leased data key v1'),
  associatedData: lengthPrefixed([utf8(holderId), utf8(leaseId), utf8(resourceCrn)]),
})
