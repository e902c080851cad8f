// One client from its first byte to its last: greeting, TLS where it is demanded, options, transmission. Whatever goes
// wrong, the socket is destroyed and the volume released.

import type { Socket } from 'node:net'
import type { Clock } from '#base/clock.ts'
import { nbdHandshakeMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import { ByteReader, Disconnected } from './byte-reader.ts'
import { Fenced } from './device.ts'
import type { Client, Exports } from './exports.ts'
import { greet, negotiate } from './negotiation.ts'
import type { Lobby, Outcome, Talk } from './negotiation.ts'
import type { VolumeUse } from './open-volume.ts'
import { secure } from './secure.ts'
import { transmit } from './session.ts'

export interface ConnectionParts {
  readonly exports: Exports
  readonly clock: Clock
  readonly log: Log
  /** Where a client comes from decides what it must show. */
  readonly door: Door
  onBroken(error: unknown): void
}

export type Door =
  /** The address is the proof: only the owner of the machine reaches it, and it leads to one export. */
  | { readonly kind: 'unix'; readonly attachmentId: string }
  | {
      readonly kind: 'tcp'
      keyOf(identity: string): Buffer | null
      attachmentOf(identity: string): string | null
      /** The handshake is over; from here on the client counts as one of its export's. */
      onAdmitted(): void
    }

export async function serveConnection(socket: Socket, parts: ConnectionParts): Promise<void> {
  const { log, onBroken } = parts
  const ended = Promise.withResolvers<void>()
  const wire = { socket }
  const client: Client = { cut: () => wire.socket.destroy(), gone: ended.promise }
  // Without a listener, a connection reset by its client would end the process. Its end is seen by who reads.
  socket.on('error', () => undefined)
  try {
    await serve(wire, client, parts)
  } catch (error) {
    if (error instanceof Disconnected || error instanceof Fenced) log.debug('connection ended')
    else onBroken(error)
  } finally {
    wire.socket.destroy()
    socket.destroy()
    ended.resolve()
  }
}

async function serve(wire: { socket: Socket }, client: Client, parts: ConnectionParts): Promise<void> {
  const cancel = parts.clock.after(nbdHandshakeMs, () => wire.socket.destroy())
  try {
    const shaken = await shakeHands(wire, client, parts)
    if (shaken?.outcome.next !== 'transmit') return
    const { opened, structured, allocationContextId } = shaken.outcome
    try {
      cancel()
      const { device, buffers } = opened
      const { socket } = wire
      const { onBroken } = parts
      await transmit({ socket, reader: shaken.reader, device, buffers, structured, allocationContextId, onBroken })
      // NBD_CMD_DISC: TLS is shut down first, then the connection.
      await new Promise<void>((resolve) => socket.end(resolve))
    } finally {
      opened.release()
    }
  } finally {
    cancel()
  }
}

interface Shaken {
  readonly outcome: Outcome<VolumeUse>
  readonly reader: ByteReader
}

/** Null when the client did not get as far as an outcome. */
async function shakeHands(wire: { socket: Socket }, client: Client, parts: ConnectionParts): Promise<Shaken | null> {
  const { door, exports } = parts
  const talk = talkOver(wire.socket)
  const clientFlags = await greet(talk)
  if (clientFlags === null) return null
  if (door.kind === 'unix') {
    const offer = () => exports.offer(door.attachmentId, client)
    return finish(talk, { tls: 'absent', offer, hasDefault: true }, clientFlags)
  }
  const first = await negotiate<VolumeUse>(talk, { tls: 'required', offer: () => null, hasDefault: false }, clientFlags)
  // What came before TLS but after the request for it would be read as if it had come through TLS.
  if (first.next !== 'startTls' || talk.reader.bufferedBytes > 0) return null
  talk.reader.detach()
  const secured = await secure(wire.socket, door.keyOf)
  if (!secured) return null
  wire.socket = secured.socket
  const attachmentId = door.attachmentOf(secured.identity)
  if (attachmentId === null) return null
  const offer = () => exports.offer(attachmentId, client)
  const shaken = await finish(talkOver(secured.socket), { tls: 'active', offer, hasDefault: false }, clientFlags)
  door.onAdmitted()
  return shaken
}

async function finish(talk: Talk, lobby: Lobby<VolumeUse>, clientFlags: number): Promise<Shaken> {
  return { outcome: await negotiate(talk, lobby, clientFlags), reader: talk.reader }
}

const talkOver = (socket: Socket): Talk => ({
  reader: new ByteReader(socket),
  write: (bytes) => void socket.write(bytes),
})
