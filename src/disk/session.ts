// The transmission phase of one connection in the event loop (NBD protocol, "Transmission"); lane.ts is its like on a
// thread of its own. Requests are read one after another, served as
// soon as they are complete, and answered in whatever order they finish. Everything about a request is judged by
// request-rules.ts before anything acts; what a fence cuts off is not answered at all.

import type { Duplex } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { nbdInFlightBytesMax } from '#base/limits.ts'
import type { BufferPool } from './buffer-pool.ts'
import { Disconnected } from './byte-reader.ts'
import type { ByteReader } from './byte-reader.ts'
import { DeviceFault, Fenced } from './device.ts'
import type { BlockDevice, Extent } from './device.ts'
import { InFlight } from './in-flight.ts'
import { decodeRequest, encodeBlockStatus, encodeDone, encodeError, finishReadReply } from './nbd-transmission.ts'
import { payloadBytes, replyRoomBytes, requestBytes } from './nbd-transmission.ts'
import type { Request } from './nbd-transmission.ts'
import { command, commandFlag } from './nbd-wire.ts'
import { refuse } from './request-rules.ts'
import type { Refusal, Terms } from './request-rules.ts'

export interface SessionParts {
  readonly socket: Duplex
  readonly reader: ByteReader
  readonly device: BlockDevice
  readonly buffers: BufferPool
  readonly structured: boolean
  readonly extended: boolean
  readonly allocationContextId: number | null
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
  readonly #inFlight = new InFlight(nbdInFlightBytesMax)
  #isCorked = false
  #turnCost = 0

  constructor(parts: SessionParts) {
    const { device, structured, extended, allocationContextId } = parts
    this.#parts = parts
    this.#terms = { sizeBytes: device.sizeBytes, structured, extended, allocationContextId }
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
    const { reader, buffers } = this.#parts
    const refusal = refuse(request, this.#terms)
    const isWrite = request.type === command.write
    if (refusal) {
      // The payload of a refused request is thrown away as it comes, however long it says it is.
      await reader.skip(payloadBytes(request, this.#terms))
      await this.#inFlight.enter(0)
      return this.#sendRefusal(request, refusal)
    }
    await this.#inFlight.enter(costOf(request))
    await this.#yieldInTime(request)
    if (!isWrite) return this.#start(request, null)
    const payload = buffers.take(request.byteCount)
    try {
      await reader.fill(payload.subarray(0, request.byteCount))
    } catch (error) {
      this.#inFlight.leave(costOf(request))
      throw error
    }
    this.#start(request, payload)
  }

  /** After a turn's worth of work the event loop goes round: other clients, and above all a fence, get their turn. */
  async #yieldInTime(request: Request): Promise<void> {
    this.#turnCost += Math.max(costOf(request), requestCostBytes)
    if (this.#turnCost < turnCostBytesMax) return
    await nextTurn()
    this.#turnCost = 0
  }

  /** Serves at once what needs no waiting, and begins with the rest. */
  #start(request: Request, payload: Buffer | null): void {
    try {
      const isDone = payload
        ? this.#writeNow(request, payload)
        : request.type === command.read && this.#readNow(request)
      if (!isDone) return void this.#serve(request, payload)
    } catch (error) {
      this.#fail(request, error)
    }
    if (payload) this.#parts.buffers.give(payload)
  }

  async #serve(request: Request, payload: Buffer | null): Promise<void> {
    try {
      await this.#act(request, payload)
    } catch (error) {
      this.#fail(request, error)
    } finally {
      if (payload) this.#parts.buffers.give(payload)
    }
  }

  #fail(request: Request, error: unknown): void {
    if (error instanceof DeviceFault) {
      return this.#sendRefusal(request, { error: error.code, sentence: error.message }, costOf(request))
    }
    // Fenced, or a bug: either way the client hears nothing more.
    this.#parts.socket.destroy()
    this.#inFlight.leave(costOf(request))
    if (!(error instanceof Fenced)) this.#parts.onBroken(error)
  }

  #readNow(request: Request): boolean {
    const { device, buffers } = this.#parts
    const buffer = buffers.take(replyRoomBytes + request.byteCount)
    const reply = buffer.subarray(0, replyRoomBytes + request.byteCount)
    let isRead = false
    try {
      isRead = device.readNow(reply.subarray(replyRoomBytes), request.offset)
    } finally {
      if (!isRead) buffers.give(buffer)
    }
    if (isRead) this.#sendRead(request, buffer, reply)
    return isRead
  }

  #writeNow(request: Request, payload: Buffer): boolean {
    if ((request.flags & commandFlag.fua) !== 0) return false
    if (!this.#parts.device.writeNow(payload.subarray(0, request.byteCount), request.offset)) return false
    this.#send(encodeDone(request, this.#terms), () => this.#inFlight.leave(costOf(request)))
    return true
  }

  async #act(request: Request, payload: Buffer | null): Promise<void> {
    const { device } = this.#parts
    const { offset, byteCount } = request
    switch (request.type) {
      case command.read:
        return this.#read(request)
      case command.write:
        if (payload) await device.write(payload.subarray(0, byteCount), offset)
        break
      case command.writeZeroes:
        await device.zero(offset, byteCount)
        break
      case command.trim:
        await device.trim(offset, byteCount)
        break
      case command.flush:
        await device.flush()
        break
      case command.cache:
        // "There is no guarantee of an actual performance gain": the page cache knows better.
        break
      case command.blockStatus:
        return this.#sendStatus(request, await device.extents(offset, byteCount))
    }
    if (changesData(request) && (request.flags & commandFlag.fua) !== 0) await device.flush()
    this.#send(encodeDone(request, this.#terms), () => this.#inFlight.leave(costOf(request)))
  }

  async #read(request: Request): Promise<void> {
    const { device, buffers } = this.#parts
    const buffer = buffers.take(replyRoomBytes + request.byteCount)
    const reply = buffer.subarray(0, replyRoomBytes + request.byteCount)
    try {
      await device.read(reply.subarray(replyRoomBytes), request.offset)
    } catch (error) {
      buffers.give(buffer)
      throw error
    }
    this.#sendRead(request, buffer, reply)
  }

  #sendRead(request: Request, buffer: Buffer, reply: Buffer): void {
    this.#send(finishReadReply(reply, request, this.#terms), () => {
      this.#parts.buffers.give(buffer)
      this.#inFlight.leave(costOf(request))
    })
  }

  #sendStatus(request: Request, extents: readonly Extent[]): void {
    const contextId = this.#terms.allocationContextId ?? 0
    const isOne = (request.flags & commandFlag.reqOne) !== 0
    const bytes = encodeBlockStatus(request, contextId, isOne ? extents.slice(0, 1) : extents, this.#terms)
    this.#send(bytes, () => this.#inFlight.leave(costOf(request)))
  }

  #sendRefusal(request: Request, { error, sentence }: Refusal, costBytes = 0): void {
    this.#send(encodeError(request, error, sentence, this.#terms), () => this.#inFlight.leave(costBytes))
  }

  /** Replies of one turn leave together. `onSent` is called when the kernel has the bytes, or nobody ever will. */
  #send(bytes: Buffer, onSent: () => void): void {
    const { socket } = this.#parts
    if (!this.#isCorked) {
      this.#isCorked = true
      socket.cork()
      process.nextTick(() => {
        this.#isCorked = false
        socket.uncork()
      })
    }
    socket.write(bytes, onSent)
  }
}

const changesData = ({ type }: Request): boolean =>
  type === command.write || type === command.writeZeroes || type === command.trim

/** The payload that a request has in memory, on its way in or out. */
const costOf = ({ type, byteCount }: Request): number =>
  type === command.read || type === command.write ? byteCount : 0
