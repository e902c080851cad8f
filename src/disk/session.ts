// The transmission phase of one connection (NBD protocol, "Transmission"). Requests are read one after another, served as
// soon as they are complete, and answered in whatever order they finish. Everything about a request is judged by
// request-rules.ts before anything acts; what a fence cuts off is not answered at all.

import type { Socket } from 'node:net'
import { nbdInFlightBytesMax } from '#base/limits.ts'
import type { BufferPool } from './buffer-pool.ts'
import { Disconnected } from './byte-reader.ts'
import type { ByteReader } from './byte-reader.ts'
import { DeviceFault, Fenced } from './device.ts'
import type { BlockDevice, Extent } from './device.ts'
import { InFlight } from './in-flight.ts'
import { decodeRequest, encodeBlockStatus, encodeErrorChunk, encodeSimpleReply } from './nbd-transmission.ts'
import { finishReadReply, replyRoomBytes, requestBytes } from './nbd-transmission.ts'
import type { Request } from './nbd-transmission.ts'
import { command, commandFlag } from './nbd-wire.ts'
import { refuse } from './request-rules.ts'
import type { Refusal, Terms } from './request-rules.ts'

export interface SessionParts {
  readonly socket: Socket
  readonly reader: ByteReader
  readonly device: BlockDevice
  readonly buffers: BufferPool
  readonly structured: boolean
  readonly allocationContextId: number | null
  /** Told of an error that is neither the client's nor the storage's. */
  onBroken(error: unknown): void
}

/** Serves until the client disconnects or breaks the protocol. Rejects with Disconnected when the socket has gone. */
export const transmit = (parts: SessionParts): Promise<void> => new Session(parts).run()

class Session {
  readonly #parts: SessionParts
  readonly #terms: Terms
  readonly #inFlight = new InFlight(nbdInFlightBytesMax)
  #isCorked = false

  constructor(parts: SessionParts) {
    const { device, structured, allocationContextId } = parts
    this.#parts = parts
    this.#terms = { sizeBytes: device.sizeBytes, structured, allocationContextId }
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
      const request = decodeRequest(await reader.take(requestBytes))
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
      // The payload of a refused write is thrown away as it comes, however long it says it is.
      if (isWrite) await reader.skip(request.byteCount)
      await this.#inFlight.enter(0)
      return this.#sendRefusal(request, refusal)
    }
    await this.#inFlight.enter(costOf(request))
    if (!isWrite) return void this.#serve(request, null)
    const payload = buffers.take(request.byteCount)
    try {
      await reader.fill(payload.subarray(0, request.byteCount))
    } catch (error) {
      this.#inFlight.leave(costOf(request))
      throw error
    }
    void this.#serve(request, payload)
  }

  async #serve(request: Request, payload: Buffer | null): Promise<void> {
    try {
      await this.#act(request, payload)
    } catch (error) {
      if (error instanceof DeviceFault) {
        return this.#sendRefusal(request, { error: error.code, sentence: error.message }, costOf(request))
      }
      // Fenced, or a bug: either way the client hears nothing more.
      this.#parts.socket.destroy()
      this.#inFlight.leave(costOf(request))
      if (!(error instanceof Fenced)) this.#parts.onBroken(error)
    } finally {
      if (payload) this.#parts.buffers.give(payload)
    }
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
    this.#send(encodeSimpleReply(request.cookie, null), () => this.#inFlight.leave(costOf(request)))
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
    this.#send(finishReadReply(reply, request, this.#terms.structured), () => {
      buffers.give(buffer)
      this.#inFlight.leave(costOf(request))
    })
  }

  #sendStatus(request: Request, extents: readonly Extent[]): void {
    const contextId = this.#terms.allocationContextId ?? 0
    const isOne = (request.flags & commandFlag.reqOne) !== 0
    const bytes = encodeBlockStatus(request.cookie, contextId, isOne ? extents.slice(0, 1) : extents)
    this.#send(bytes, () => this.#inFlight.leave(costOf(request)))
  }

  #sendRefusal({ cookie }: Request, { error, sentence }: Refusal, costBytes = 0): void {
    const bytes = this.#terms.structured ? encodeErrorChunk(cookie, error, sentence) : encodeSimpleReply(cookie, error)
    this.#send(bytes, () => this.#inFlight.leave(costBytes))
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
