// The TLS of NBD_OPT_STARTTLS: no certificates, a pre-shared key on both sides (RFC 8446, section 4.2.11, and for older
// clients RFC 4279 and RFC 5489).

import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import type { TLSSocketOptions, TlsOptions } from 'node:tls'
import { tls12Suites, tls13Suites } from './tls-calls.ts'

/** Of TLS 1.3 the suites whose hash is that of a pre-shared key given from outside; of TLS 1.2 those that keep earlier
 * sessions secret when a key is learned later, which is why there is no plain PSK suite. */
const ciphers = [...tls13Suites, ...tls12Suites].join(':')

export interface Secured {
  readonly socket: TLSSocket
  readonly identity: string
}

/**
 * Waits for the client's handshake. `keyOf` says which key belongs to an identity, or null to refuse it. Null when the
 * handshake did not succeed; the socket is destroyed then.
 */
export function secure(plain: Socket, keyOf: (identity: string) => Buffer | null): Promise<Secured | null> {
  let admitted: string | null = null
  // TLSSocket takes the option like tls.createServer does; the published types know it there only.
  const options: TLSSocketOptions & Pick<TlsOptions, 'pskCallback'> = {
    isServer: true,
    minVersion: 'TLSv1.2',
    ciphers,
    pskCallback: (_, identity) => {
      const key = keyOf(identity)
      admitted = key ? identity : null
      return key
    },
  }
  const socket = new TLSSocket(plain, options)
  return new Promise((resolve) => {
    socket.on('error', () => socket.destroy())
    socket.once('close', () => resolve(null))
    socket.once('secure', () => {
      if (admitted === null) socket.destroy()
      else resolve({ socket, identity: admitted })
    })
  })
}
