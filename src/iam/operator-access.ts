// Who runs the server shows the operator token: 256 bits of chance in a file of theirs, of which the server knows a hash.
// It is nobody of any account: no policy gives it anything, and it opens only what contract-operator.ts lists.

import { createHash, timingSafeEqual } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import type { OperatorPort } from './port.ts'
import type { Throttle } from './throttle.ts'

export const hashOperatorToken = (token: string): Uint8Array => createHash('sha256').update(token).digest()

export function makeOperatorAccess(tokenHash: Uint8Array, throttle: Throttle): OperatorPort {
  return {
    async authenticateOperator(token, remoteAddress) {
      throttle.check(remoteAddress)
      if (timingSafeEqual(hashOperatorToken(token), tokenHash)) return
      const fault = new Fault('unauthenticated', 'the token is not the operator token of this server')
      throw throttle.failed({ apiKey: token, remoteAddress }, fault)
    },
  }
}
