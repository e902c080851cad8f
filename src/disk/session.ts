// The transmission phase of one connection in the event loop (NBD protocol, "Transmission"); lane.ts is its like on a
// thread of its own. Requests are read one after another, served as soon as they are complete, and answered in whatever
// order they finish. Everything about a request is judged by request-rules.ts before anything acts; what a fence cuts off
// is not answered at all. A request for which there is not enough memory is served alone and in pieces.

import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { nbdInFlightBytesMax } from '#base/limits.ts'
import type { BufferPool } from './buffer-pool.ts'
import { Disconnected } from './byte-reader.ts'
import type { ByteReader } from './byte-reader.ts'
import { DeviceFault, Fenced } from './device.ts'
import type { BlockDevice } from './device.ts'
import { InFlight } from './in-flight.ts'
import type { Place } from './in-flight.ts'
import { decodeRequest, encodeDone, encodeError, encodePieceError, finishReadPiece } from './nbd-transmission.ts'
import { finishReadReply, payloadBytes, replyRoomBytes, requestBytes, transferBytes } from './nbd-transmission.ts'
import type { Refusal, Request } from './nbd-transmission.ts'
import { command, commandFlag } from './nbd-wire.ts'
import { refuse } from './request-rules.ts'
import { carryOut, refusalOf, statusReply } from './request-work.ts'
import type { RequestMemory } from './request-memory.ts'
import type { Terms } from './request-rules.ts'
import type { StallWatch } from './stall.ts'

export interface SessionParts {
  readonly socket: Duplex
  readonly reader: ByteReader
  readonly device: BlockDevice
  readonly buffers: BufferPool
  readonly memory: RequestMemory
  /** Begun and ended around every wait for the client in the middle of a request. */
  readonly stall: StallWatch
  readonly terms: Terms
  /** Told of an error that is neither the client's nor the storage's. */
  onBroken(error: unknown): void
}

/** What one client may have done before others get their turn, in bytes; a small request counts as so many. */
const turnCostBytesMax = 4 * 1024 * 1024
const requestCostBytes = 32 * 1024

/** Serves until the client disconnects or breaks the protocol. Rejects with Disconnected when the socket has gone. */
export const transmit = (parts: SessionParts): Promise<void> => new Session(parts).run()

class Session {
  readonly #parts: SessionParts
  readonly #terms: Terms
  readonly #inFlight: InFlight
  #isCorked = false
  #turnCost = 0

  constructor(parts: SessionParts) {
    this.#parts = parts
    this.#terms = parts.terms
    this.#inFlight = new InFlight(nbdInFlightBytesMax, parts.memory)
  }

  /** Settles only when nothing of this session touches the device any more. */
  async run(): Promise<void> {
    try {
      await this.#takeRequests()
    } finally {
      // NBD_CMD_DISC: "The server MUST handle all outstanding requests". After a cut they are over soon.
      await this.#inFlight.idle()
    }
  }

  async #takeRequests(): Promise<void> {
    const { reader, socket } = this.#parts
    for (;;) {
      const request = decodeRequest(await reader.take(requestBytes(this.#terms)), 0, this.#terms)
      // Without the magic number nothing says where the next request begins.
      if (!request) return
      if (request.type === command.disconnect) return
      await this.#take(request)
      if (socket.destroyed) throw new Disconnected()
    }
  }

  /** Reads a request's payload and starts on it. */
  async #take(request: Request): Promise<void> {
    const { reader, buffers, stall } = this.#parts
    const refusal = refuse(request, this.#terms)
    if (refusal) {
      // The payload of a refused request is thrown away as it comes, however long it says it is.
      await stall.while(reader.skip(payloadBytes(request, this.#terms)))
      return this.#sendRefusal(request, refusal, await this.#inFlight.enter(0))
    }
    const place = await this.#inFlight.enter(transferBytes(request))
    if (place.byteCount < transferBytes(request)) return this.#serveInPieces(request, place)
    await this.#yieldInTime(request)
    if (request.type !== command.write) return this.#start(request, null, place)
    const payload = buffers.take(request.byteCount)
    try {
      await stall.while(reader.fill(payload.subarray(0, request.byteCount)))
    } catch (error) {
      place.leave()
      throw error
    }
    this.#start(request, payload, place)
  }

  /** After a turn's worth of work the event loop goes round: other clients, and above all a fence, get their turn. */
  async #yieldInTime(request: Request): Promise<void> {
    this.#turnCost += Math.max(transferBytes(request), requestCostBytes)
    if (this.#turnCost < turnCostBytesMax) return
    await nextTurn()
    this.#turnCost = 0
  }

  /** Serves at once what needs no waiting, and begins with the rest. */
  #start(request: Request, payload: Buffer | null, place: Place): void {
    try {
      const isDone = payload
        ? this.#writeNow(request, payload, place)
        : request.type === command.read && this.#readNow(request, place)
      if (!isDone) return void this.#serve(request, payload, place)
    } catch (error) {
      this.#fail(request, error, place)
    }
    if (payload) this.#parts.buffers.give(payload)
  }

  async #serve(request: Request, payload: Buffer | null, place: Place): Promise<void> {
    try {
      await this.#act(request, payload, place)
    } catch (error) {
      this.#fail(request, error, place)
    } finally {
      if (payload) this.#parts.buffers.give(payload)
    }
  }

  #fail(request: Request, error: unknown, place: Place): void {
    if (error instanceof DeviceFault) return this.#sendRefusal(request, refusalOf(error), place)
    // Fenced, or a bug: either way the client hears nothing more.
    this.#parts.socket.destroy()
    place.leave()
    if (!(error instanceof Fenced)) this.#parts.onBroken(error)
  }

  /** A long read or write for which there is room for a piece only. Nothing else of the connection is under way. */
  async #serveInPieces(request: Request, place: Place): Promise<void> {
    const { buffers } = this.#parts
    const buffer = buffers.take(replyRoomBytes + place.byteCount)
    try {
      if (request.type === command.write) await this.#writeInPieces(request, buffer, place)
      else await this.#readInPieces(request, buffer, place)
    } finally {
      buffers.give(buffer)
    }
  }

  async #writeInPieces(request: Request, buffer: Buffer, place: Place): Promise<void> {
    const { reader, device, stall } = this.#parts
    let failure: unknown = null
    try {
      for (let at = 0; at < request.byteCount; at += place.byteCount) {
        const piece = buffer.subarray(0, Math.min(place.byteCount, request.byteCount - at))
        await stall.while(reader.fill(piece))
        // After a fault the rest is still to be taken off the wire.
        if (failure === null) failure = await faultOf(device.write(piece, request.offset + at))
      }
      if (failure === null && (request.flags & commandFlag.fua) !== 0) failure = await faultOf(device.flush())
    } catch (error) {
      place.leave()
      throw error
    }
    if (failure !== null) this.#fail(request, failure, place)
    else this.#sendDone(request, place)
  }

  async #readInPieces(request: Request, buffer: Buffer, place: Place): Promise<void> {
    const { device, socket } = this.#parts
    for (let at = 0; at < request.byteCount && !socket.destroyed; at += place.byteCount) {
      const data = buffer.subarray(replyRoomBytes, replyRoomBytes + Math.min(place.byteCount, request.byteCount - at))
      const failure = await faultOf(device.read(data, request.offset + at))
      if (failure instanceof DeviceFault) return this.#endPieces(request, at, failure, place)
      if (failure !== null) return this.#fail(request, failure, place)
      const reply = buffer.subarray(0, replyRoomBytes + data.length)
      const bytes = finishReadPiece(reply, request, at, this.#terms)
      await new Promise<void>((resolve) => this.#send(bytes, resolve))
    }
    place.leave()
  }

  #endPieces(request: Request, at: number, failure: DeviceFault, place: Place): void {
    const bytes = encodePieceError(request, at, refusalOf(failure), this.#terms)
    if (bytes) return this.#send(bytes, () => place.leave())
    this.#parts.socket.destroy()
    place.leave()
  }

  #readNow(request: Request, place: Place): boolean {
    const { device, buffers } = this.#parts
    const buffer = buffers.take(replyRoomBytes + request.byteCount)
    const reply = buffer.subarray(0, replyRoomBytes + request.byteCount)
    let isRead = false
    try {
      isRead = device.readNow(reply.subarray(replyRoomBytes), request.offset)
    } finally {
      if (!isRead) buffers.give(buffer)
    }
    if (isRead) this.#sendRead(request, buffer, reply, place)
    return isRead
  }

  #writeNow(request: Request, payload: Buffer, place: Place): boolean {
    if ((request.flags & commandFlag.fua) !== 0) return false
    if (!this.#parts.device.writeNow(payload.subarray(0, request.byteCount), request.offset)) return false
    this.#sendDone(request, place)
    return true
  }

  async #act(request: Request, payload: Buffer | null, place: Place): Promise<void> {
    const { device } = this.#parts
    if (request.type === command.read) return this.#read(request, place)
    if (request.type === command.blockStatus) {
      return this.#send(await statusReply(device, request, this.#terms), () => place.leave())
    }
    await carryOut(device, request, payload)
    this.#sendDone(request, place)
  }

  async #read(request: Request, place: Place): Promise<void> {
    const { device, buffers } = this.#parts
    const buffer = buffers.take(replyRoomBytes + request.byteCount)
    const reply = buffer.subarray(0, replyRoomBytes + request.byteCount)
    try {
      await device.read(reply.subarray(replyRoomBytes), request.offset)
    } catch (error) {
      buffers.give(buffer)
      throw error
    }
    this.#sendRead(request, buffer, reply, place)
  }

  #sendRead(request: Request, buffer: Buffer, reply: Buffer, place: Place): void {
    this.#send(finishReadReply(reply, request, this.#terms), () => {
      this.#parts.buffers.give(buffer)
      place.leave()
    })
  }

  #sendDone(request: Request, place: Place): void {
    this.#send(encodeDone(request, this.#terms), () => place.leave())
  }

  #sendRefusal(request: Request, refusal: Refusal, place: Place): void {
    this.#send(encodeError(request, refusal, this.#terms), () => place.leave())
  }

  /** Replies of one turn leave together. `onSent` is called when the kernel has the bytes, or nobody ever will. */
  #send(bytes: Buffer, onSent: () => void): void {
    const { socket, stall } = this.#parts
    if (!this.#isCorked) {
      this.#isCorked = true
      socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        socket.uncork()
      })
    }
    stall.begin()
    socket.write(bytes, () => {
      stall.end()
      onSent()
    })
  }
}

/** What went wrong, or null. */
async function faultOf(work: Promise<void>): Promise<unknown> {
  try {
    await work
    return null
  } catch (error) {
    return error
  }
}
