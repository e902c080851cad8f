// The transmission phase of a connection on a thread of its own, which waits in the kernel and not in an event loop: one
// call brings many requests, one call takes all their replies away, and what the page cache holds is served in between
// without a promise or a copy. session.ts does the same for sockets of node:net.
//
// A connection has one lane or two. One of them receives; before it does something long (requests of `bulkBytes` and
// more, or whatever waits for a disk) it lets the other receive, and so large transfers use two cores. While small requests
// come, the second sleeps.
//
// A lane's memory is bounded, whatever its client does: its input, its replies, `slowMax`, and one piece of a long request.

import { lanePieceBytes } from '#base/limits.ts'
import { BufferPool } from './buffer-pool.ts'
import { DeviceFault } from './device.ts'
import type { BlockDevice } from './device.ts'
import { LaneInput } from './lane-input.ts'
import { readInPieces, writeInPieces } from './lane-pieces.ts'
import { controlWord } from './lane-port.ts'
import { bulkBytes, Replies } from './lane-replies.ts'
import type { ReplyParts } from './lane-replies.ts'
import { lock, unlock } from './mutex.ts'
import { decodeRequest, encodeDone, encodeError, finishReadReply, isTransfer } from './nbd-transmission.ts'
import { payloadBytes, replyRoomBytes, requestBytes, transferBytes } from './nbd-transmission.ts'
import type { Refusal, Request } from './nbd-transmission.ts'
import { command, commandFlag } from './nbd-wire.ts'
import { refuse } from './request-rules.ts'
import { carryOut, refusalOf, statusReply } from './request-work.ts'

export interface LaneParts extends ReplyParts {
  /** Gated, and with all its layers. */
  readonly device: BlockDevice
  readonly input: Buffer
  /** The connection is worth a second lane. Said once. */
  widen(): void
}

/** What one call may bring. A request that is not bulk fits in here together with its payload. */
export const inputBytes = 1024 * 1024
/** Work that waits for disks: more requests than this, or bytes in memory, and no more are taken. */
const slowMax = { requests: 256, bytes: 8 * 1024 * 1024 }

/** Serves until the client leaves or the right ends. Rejects with Fenced, or with what is a bug. */
export const serveLane = (parts: LaneParts): Promise<void> => new Lane(parts).run()

type Verdict =
  | { readonly next: 'end' | 'settle' }
  /** With all its payload; the other lane receives meanwhile. */
  | { readonly next: 'bulk'; readonly request: Request }
  /** Too long to be in memory whole. It is still this lane's turn to receive, and the other one rests. */
  | { readonly next: 'pieces'; readonly request: Request }
const end: Verdict = { next: 'end' }
const settle: Verdict = { next: 'settle' }

class Lane {
  readonly #parts: LaneParts
  readonly #requestBytes: number
  readonly #input: LaneInput
  readonly #replies: Replies
  readonly #buffers = new BufferPool()
  readonly #slow = new Set<Promise<void>>()
  #slowBytes = 0
  #bulk = Buffer.alloc(0)
  #hasAskedToWiden = false
  #isAtWork = false
  /** After a bulk write its successor is expected: a long read ahead would only have to be copied. */
  #isBulkExpected = false
  #failure: unknown = null
  /** What waits for the next flush, which serves all of them. */
  readonly #flushes: Request[] = []

  constructor(parts: LaneParts) {
    this.#parts = parts
    this.#requestBytes = requestBytes(parts.terms)
    this.#input = new LaneInput(parts)
    this.#replies = new Replies(parts)
  }

  async run(): Promise<void> {
    try {
      for (;;) {
        const verdict = this.#lead()
        if (this.#flushes.length > 0) await this.#flushAll()
        if (verdict.next === 'bulk') await this.#serveBulk(verdict.request)
        if (verdict.next === 'pieces') await this.#serveInPieces(verdict.request)
        if (this.#slow.size > 0) await this.#settle()
        this.#replies.leave()
        if (verdict.next === 'end') return this.#parts.wire.close()
      }
    } catch (error) {
      this.#end()
      // The other lane may be waiting for requests that nobody shall serve.
      this.#parts.wire.hangUp()
      throw error
    } finally {
      // Nothing of this lane touches the device when it has ended.
      await Promise.allSettled(this.#slow)
      this.#rest()
    }
  }

  /** Takes requests and serves the short ones, until there is something for which another lane should take over. */
  #lead(): Verdict {
    const { control } = this.#parts
    this.#rest()
    lock(control, controlWord.receiving)
    let verdict: Verdict = end
    try {
      verdict = this.#takeRequests()
      return verdict
    } finally {
      if (verdict.next !== 'pieces') this.#passOn()
    }
  }

  #takeRequests(): Verdict {
    for (;;) {
      if (Atomics.load(this.#parts.control, controlWord.ended) === 1) return end
      const verdict = this.#serveReceived()
      if (verdict) return verdict
      this.#replies.leave()
      if (this.#hasUnsettled()) return settle
      // After a bulk write a long read ahead would only have to be copied.
      if (!this.#input.receive(this.#isBulkExpected ? this.#requestBytes : inputBytes)) return this.#endWith()
    }
  }

  #hasUnsettled(): boolean {
    return this.#slow.size > 0 || this.#flushes.length > 0
  }

  /** Another lane may receive from here on, while this one works. */
  #passOn(): void {
    const { control } = this.#parts
    this.#isAtWork = true
    Atomics.add(control, controlWord.atWork, 1)
    unlock(control, controlWord.receiving)
  }

  /** This lane has nothing to do any more but to receive. */
  #rest(): void {
    if (!this.#isAtWork) return
    this.#isAtWork = false
    Atomics.sub(this.#parts.control, controlWord.atWork, 1)
    Atomics.notify(this.#parts.control, controlWord.atWork)
  }

  /** Null when the next request has not arrived completely. */
  #serveReceived(): Verdict | null {
    const { input, terms } = this.#parts
    for (;;) {
      const { start, byteCount: received } = this.#input
      if (received < this.#requestBytes) return null
      const request = decodeRequest(input, start, terms)
      // Without the magic number nothing says where the next request begins.
      if (!request || request.type === command.disconnect) return this.#endWith()
      const refusal = refuse(request, terms)
      const isBulk = request.byteCount >= bulkBytes && isTransfer(request)
      if (!isBulk) this.#isBulkExpected = false
      const payload = payloadBytes(request, terms)
      if (!refusal && !isBulk && received < this.#requestBytes + payload) return null
      const isLong = isBulk && request.byteCount > lanePieceBytes
      if (!refusal && isLong && this.#hasUnsettled()) return settle
      this.#input.pass(this.#requestBytes)
      if (refusal) {
        if (!this.#input.skip(payload, () => this.#replies.leave())) return this.#endWith()
        this.#refuse(request, refusal)
        continue
      }
      if (isLong) return { next: 'pieces', request }
      if (isBulk) return this.#takeBulk(request) ? { next: 'bulk', request } : this.#endWith()
      this.#input.pass(payload)
      this.#serve(request, start + this.#requestBytes)
      if (this.#slow.size >= slowMax.requests || this.#slowBytes >= slowMax.bytes) return settle
      if (this.#flushes.length >= slowMax.requests) return settle
    }
  }

  #serve(request: Request, payloadAt: number): void {
    if (request.type === command.flush) return void this.#flushes.push(request)
    try {
      if (
        request.type === command.read &&
        this.#replies.read(request, (data) => this.#parts.device.readNow(data, request.offset))
      )
        return
      if (request.type === command.write && this.#writeNow(request, payloadAt)) return
    } catch (error) {
      return this.#refuseFor(request, error)
    }
    this.#serveSlowly(request, payloadAt)
  }

  #writeNow(request: Request, payloadAt: number): boolean {
    const { device, input } = this.#parts
    if (!device.writeNow(input.subarray(payloadAt, payloadAt + request.byteCount), request.offset)) return false
    if ((request.flags & commandFlag.fua) === 0) this.#replies.done(request)
    else this.#flushes.push(request)
    return true
  }

  #serveSlowly(request: Request, payloadAt: number): void {
    const { input } = this.#parts
    // The place of the payload is needed for what comes next.
    const payload = request.type === command.write ? this.#buffers.take(request.byteCount) : null
    if (payload) input.copy(payload, 0, payloadAt, payloadAt + request.byteCount)
    this.#track(this.#act(request, payload), request)
  }

  /** Counts work that waits. Its failure is remembered until it is waited for. */
  #track(work: Promise<void>, request: Request): void {
    const cost = transferBytes(request)
    this.#slowBytes += cost
    const tracked = work
      .catch((error: unknown) => this.#refuseFor(request, error))
      .catch((error: unknown) => {
        this.#failure ??= error
      })
      .finally(() => {
        this.#slowBytes -= cost
        this.#slow.delete(tracked)
      })
    this.#slow.add(tracked)
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#slow)
    if (this.#failure !== null) throw this.#failure
  }

  async #act(request: Request, payload: Buffer | null): Promise<void> {
    const { device, terms } = this.#parts
    if (request.type === command.read) return this.#readSlowly(request)
    if (request.type === command.blockStatus) return this.#replies.add(await statusReply(device, request, terms))
    try {
      await carryOut(device, request, payload)
    } finally {
      if (payload) this.#buffers.give(payload)
    }
    this.#replies.add(encodeDone(request, terms))
  }

  async #readSlowly(request: Request): Promise<void> {
    const buffer = this.#buffers.take(replyRoomBytes + request.byteCount)
    try {
      const reply = buffer.subarray(0, replyRoomBytes + request.byteCount)
      await this.#parts.device.read(reply.subarray(replyRoomBytes), request.offset)
      this.#replies.add(finishReadReply(reply, request, this.#parts.terms))
    } finally {
      this.#buffers.give(buffer)
    }
  }

  /** One flush for all that asked; what they asked to be durable was acknowledged or written before. */
  async #flushAll(): Promise<void> {
    const requests = this.#flushes.splice(0)
    this.#replies.leave()
    try {
      await this.#parts.device.flush()
    } catch (error) {
      for (const request of requests) this.#refuseFor(request, error)
      return
    }
    for (const request of requests) this.#replies.done(request)
  }

  /** Brings a bulk write's payload, or room for a bulk read. False when the connection is over. */
  #takeBulk(request: Request): boolean {
    const data = this.#bulkReply(request.byteCount).subarray(replyRoomBytes)
    this.#replies.leave()
    if (!this.#hasAskedToWiden) this.#parts.widen()
    this.#hasAskedToWiden = true
    this.#isBulkExpected = request.type === command.write
    return request.type === command.read || this.#input.fill(data)
  }

  /** Room for a reply's header and so many bytes. */
  #bulkReply(byteCount: number): Buffer {
    const size = replyRoomBytes + byteCount
    if (this.#bulk.length < size) this.#bulk = Buffer.allocUnsafeSlow(size)
    return this.#bulk.subarray(0, size)
  }

  /** The other lane receives meanwhile. */
  async #serveBulk(request: Request): Promise<void> {
    const { device, terms } = this.#parts
    const { offset, byteCount } = request
    const reply = this.#bulkReply(byteCount)
    const data = reply.subarray(replyRoomBytes)
    try {
      if (request.type === command.read) {
        if (!device.readNow(data, offset)) await device.read(data, offset)
        this.#replies.send(finishReadReply(reply, request, terms))
      } else {
        if (!device.writeNow(data, offset)) await device.write(data, offset)
        if ((request.flags & commandFlag.fua) !== 0) await device.flush()
        this.#replies.done(request)
      }
    } catch (error) {
      this.#refuseFor(request, error)
    }
  }

  /** A request that is longer than what a lane has room for. The other lane has finished and rests until it is over. */
  async #serveInPieces(request: Request): Promise<void> {
    const { control } = this.#parts
    try {
      this.#replies.leave()
      for (;;) {
        const atWork = Atomics.load(control, controlWord.atWork)
        if (atWork === 0) break
        Atomics.wait(control, controlWord.atWork, atWork)
      }
      const serveInPieces = request.type === command.write ? writeInPieces : readInPieces
      await serveInPieces(request, {
        ...this.#parts,
        input: this.#input,
        replies: this.#replies,
        room: (byteCount) => this.#bulkReply(byteCount),
        end: () => this.#end(),
      })
    } finally {
      this.#passOn()
    }
  }

  /** What the client may hear of an error; anything else ends the lane. */
  #refuseFor(request: Request, error: unknown): void {
    if (!(error instanceof DeviceFault)) throw error
    this.#refuse(request, refusalOf(error))
  }

  #refuse(request: Request, refusal: Refusal): void {
    this.#replies.add(encodeError(request, refusal, this.#parts.terms))
  }

  #endWith(): Verdict {
    this.#end()
    return end
  }

  /** No lane takes requests any more; the other one sees it when its turn to receive comes. */
  #end(): void {
    Atomics.store(this.#parts.control, controlWord.ended, 1)
  }
}
