// One client from its first byte to its last: greeting, TLS where it is demanded, options, transmission. Whatever goes
// wrong, the socket is destroyed and the volume released.

import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Clock } from '#base/clock.ts'
import { nbdHandshakeMs, nbdStallMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import { ByteReader, Disconnected } from './byte-reader.ts'
import { Fenced } from './device.ts'
import type { Client, Exports } from './exports.ts'
import type { WireView } from './lane-port.ts'
import type { Lanes } from './lanes.ts'
import { greet, negotiate } from './negotiation.ts'
import type { Lobby, Outcome, Talk } from './negotiation.ts'
import type { VolumeUse } from './open-volume.ts'
import type { RequestMemory } from './request-memory.ts'
import type { Terms } from './request-rules.ts'
import { secure } from './secure.ts'
import { transmit } from './session.ts'
import { bytesMoved, descriptorOf, socketCalls } from './socket-calls.ts'
import { StallWatch } from './stall.ts'
import { tlsCalls } from './tls-calls.ts'
import { secureStream, TlsStream } from './tls-stream.ts'

export interface ConnectionParts {
  readonly exports: Exports
  readonly clock: Clock
  readonly log: Log
  /** Where a client comes from decides what it must show. */
  readonly door: Door
  readonly lanes: Lanes
  readonly memory: RequestMemory
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

interface ClientWire {
  readonly plain: Socket
  /** The same, or the stream with TLS in front of it. */
  socket: Duplex
  cut(): void
}

/** Whole replies to large reads go to the kernel at once, while the client still takes the one before. */
const sendBufferBytes = 4 * 1024 * 1024

export async function serveConnection(socket: Socket, parts: ConnectionParts): Promise<void> {
  const { log, onBroken } = parts
  const ended = Promise.withResolvers<void>()
  const wire: ClientWire = { plain: socket, socket, cut: () => wire.socket.destroy() }
  const client: Client = { cut: () => wire.cut(), gone: ended.promise }
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

async function serve(wire: ClientWire, client: Client, parts: ConnectionParts): Promise<void> {
  const cancel = parts.clock.after(nbdHandshakeMs, () => wire.socket.destroy())
  try {
    const shaken = await shakeHands(wire, client, parts)
    if (shaken?.outcome.next !== 'transmit') return
    const { opened, structured, extended, allocationContextId } = shaken.outcome
    try {
      cancel()
      const { reader } = shaken
      const terms = { sizeBytes: opened.device.sizeBytes, structured, extended, allocationContextId }
      const negotiated = { reader, use: opened, terms }
      if (await serveOnLanes(wire, negotiated, parts)) return
      await serveInEventLoop(wire, negotiated, parts)
    } finally {
      opened.release()
    }
  } finally {
    cancel()
  }
}

interface Negotiated {
  readonly reader: ByteReader
  readonly use: VolumeUse
  readonly terms: Terms
}

async function serveInEventLoop(wire: ClientWire, negotiated: Negotiated, parts: ConnectionParts): Promise<void> {
  const { socket, plain, cut } = wire
  const { reader, use, terms } = negotiated
  const { clock, memory, onBroken } = parts
  const stall = new StallWatch({ clock, moved: () => bytesMoved(plain), cut })
  try {
    const { device, buffers } = use
    await transmit({ socket, reader, device, buffers, memory, stall, terms, onBroken })
    // NBD_CMD_DISC: TLS is shut down first, then the connection.
    await stall.while(new Promise<void>((resolve) => socket.end(resolve)))
  } finally {
    stall.close()
  }
}

/** Hands the connection to threads of its own and waits for its end. False where it must stay in the event loop. */
async function serveOnLanes(wire: ClientWire, negotiated: Negotiated, { lanes }: ConnectionParts): Promise<boolean> {
  const { socket, plain } = wire
  const { reader, use, terms } = negotiated
  // The answer to the last option has left.
  await new Promise<void>((resolve) => void socket.write(Buffer.alloc(0), () => resolve()))
  const fd = descriptorOf(plain)
  if (socketCalls === null || fd === null || plain.destroyed || !lanes.canServe(use)) return false
  if (!(socket === plain || socket instanceof TlsStream)) return false
  const own = socketCalls.duplicate(fd)
  if (own === null) return false
  const heard = reader.takeRest()
  const tls = socket instanceof TlsStream ? socket.leave() : null
  plain.destroy()
  if (socket instanceof TlsStream && tls === null) {
    socketCalls.close(own)
    throw new Disconnected()
  }
  if (tls) tlsCalls?.attach(tls.ssl, own)
  else socketCalls.setSendBuffer(own, sendBufferBytes)
  socketCalls.setPatience(own, nbdStallMs / 2)
  const view: WireView = tls ? { kind: 'tls', fd: own, ssl: tls.ssl } : { kind: 'plain', fd: own }
  const received = tls ? Buffer.concat([heard, tls.received]) : heard
  const connection = lanes.serve({ wire: view, received, use, terms })
  wire.cut = () => connection.cut()
  await connection.ended
  wire.cut = () => undefined
  if (tls) tlsCalls?.free(tls.ssl)
  socketCalls.close(own)
  return true
}

interface Shaken {
  readonly outcome: Outcome<VolumeUse>
  readonly reader: ByteReader
}

/** Null when the client did not get as far as an outcome. */
async function shakeHands(wire: ClientWire, client: Client, parts: ConnectionParts): Promise<Shaken | null> {
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
  const secured = tlsCalls ? await secureStream(tlsCalls, wire.plain, door.keyOf) : await secure(wire.plain, door.keyOf)
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

const talkOver = (socket: Duplex): Talk => ({
  reader: new ByteReader(socket),
  write: (bytes) => void socket.write(bytes),
})
