// Two ends of one connection, for tests of what reads and writes sockets.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SocketPair extends AsyncDisposable {
  readonly server: Socket
  readonly client: Socket
}

export async function socketPair(): Promise<SocketPair> {
  const listener = createServer()
  const path = join(tmpdir(), `kw-${randomBytes(6).toString('hex')}.sock`)
  listener.listen(path)
  await once(listener, 'listening')
  const accepted = Promise.withResolvers<Socket>()
  listener.once('connection', accepted.resolve)
  const client = connect(path)
  const server = await accepted.promise
  listener.close()
  for (const socket of [server, client]) socket.on('error', () => undefined)
  return {
    server,
    client,
    async [Symbol.asyncDispose]() {
      server.destroy()
      client.destroy()
    },
  }
}
