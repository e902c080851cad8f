// Both servers of TLS, Node's own and the one that can leave for a thread, against Node's client.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { describe, test } from 'node:test'
import { connect as tlsConnect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { secure } from './secure.ts'
import { socketPair } from './testing/socket-pair.ts'
import { tls12Suites, tls13Suites, tlsCalls } from './tls-calls.ts'
import { secureStream } from './tls-stream.ts'

type Secure = (
  plain: Socket,
  keyOf: (identity: string) => Buffer | null,
) => Promise<{
  readonly socket: Duplex
  readonly identity: string
} | null>

const calls = tlsCalls
const servers: readonly { readonly name: string; readonly secure: Secure | null }[] = [
  { name: 'secure()', secure },
  { name: 'secureStream()', secure: calls && ((plain, keyOf) => secureStream(calls, plain, keyOf)) },
]

const key = randomBytes(32)
const keyOf = (identity: string): Buffer | null => (identity === 'friend' ? Buffer.from(key) : null)

const clientOver = (socket: Socket, options: object = {}, identity = 'friend', psk = key): TLSSocket => {
  const client = tlsConnect({
    socket,
    ciphers: [...tls13Suites, ...tls12Suites].join(':'),
    pskCallback: () => ({ psk, identity }),
    checkServerIdentity: () => undefined,
    ...options,
  })
  client.on('error', () => undefined)
  return client
}

for (const { name, secure: secureWith } of servers) {
  describe(name, { skip: secureWith ? false : 'node:ffi is not in this Node' }, () => {
    const secured: Secure = secureWith ?? (async () => null)

    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      test(`admits who has the key and carries bytes both ways, ${version}`, async () => {
        await using pair = await socketPair()
        const server = secured(pair.server, keyOf)
        const client = clientOver(pair.client, { minVersion: version, maxVersion: version })
        const admitted = await server
        assert.ok(admitted)
        assert.equal(admitted.identity, 'friend')
        assert.equal(client.getProtocol(), version)
        const data = randomBytes(300_000)
        admitted.socket.on('data', (bytes: Buffer) => admitted.socket.write(bytes))
        client.write(data)
        const echoed: Buffer[] = []
        let count = 0
        for await (const bytes of client) {
          echoed.push(bytes)
          count += bytes.length
          if (count === data.length) break
        }
        assert.equal(Buffer.compare(Buffer.concat(echoed), data), 0)
      })
    }

    test('refuses another key, another name, plain text, and a client that leaves', async () => {
      const attempts: ((socket: Socket) => void)[] = [
        (socket) => void clientOver(socket, {}, 'friend', randomBytes(32)),
        (socket) => void clientOver(socket, {}, 'stranger'),
        (socket) => void socket.write(randomBytes(1000)),
        (socket) => void socket.destroy(),
      ]
      for (const attempt of attempts) {
        await using pair = await socketPair()
        const server = secured(pair.server, keyOf)
        attempt(pair.client)
        assert.equal(await server, null)
        assert.ok(pair.server.destroyed)
      }
    })

    test('has no suite that shows old sessions to who learns the key later', async () => {
      await using pair = await socketPair()
      const server = secured(pair.server, keyOf)
      clientOver(pair.client, { maxVersion: 'TLSv1.2', ciphers: 'PSK-AES128-GCM-SHA256:PSK-AES256-GCM-SHA384' })
      assert.equal(await server, null)
    })
  })
}
