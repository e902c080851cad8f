// The transmission phase of a connection on a thread of its own, which waits in the kernel and not in an event loop: one
// call brings many requests, one call takes all their replies away, and what the page cache holds is served in between
// without a promise or a copy. session.ts does the same for sockets of node:net.
//
// A connection has one lane or two. One of them receives; before it does something long (requests of `bulkBytes` and
// more, or whatever waits for a disk) it lets the other receive, and so large transfers use two cores. While small requests
// come, the second sleeps.

import { assert } from '#base/assert.ts'
import { BufferPool } from './buffer-pool.ts'
import { DeviceFault } from './device.ts'
import type { BlockDevice } from './device.ts'
import { controlWord } from './lane-port.ts'
import { bulkBytes, Replies } from './lane-replies.ts'
import type { ReplyParts } from './lane-replies.ts'
import { lock, unlock } from './mutex.ts'
import { decodeRequest, encodeBlockStatus, encodeDone, encodeError, finishReadReply } from './nbd-transmission.ts'
import { payloadBytes, replyRoomBytes, requestBytes } from './nbd-transmission.ts'
import type { Request } from './nbd-transmission.ts'
import { command, commandFlag } from './nbd-wire.ts'
import { refuse } from './request-rules.ts'
import type { Refusal } from './request-rules.ts'

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
const slowMax = { requests: 256, bytes: 16 * 1024 * 1024 }
/** A larger buffer is given back after its request. */
const bulkKeptBytes = 4 * 1024 * 1024

/** Serves until the client leaves or the right ends. Rejects with Fenced, or with what is a bug. */
export const serveLane = (parts: LaneParts): Promise<void> => new Lane(parts).run()

type Verdict = { readonly next: 'end' | 'settle' } | { readonly next: 'bulk'; readonly request: Request }
const end: Verdict = { next: 'end' }
const settle: Verdict = { next: 'settle' }

class Lane {
  readonly #parts: LaneParts
  readonly #requestBytes: number
  readonly #inputAddress: bigint
  readonly #replies: Replies
  readonly #buffers = new BufferPool()
  readonly #slow = new Set<Promise<void>>()
  #slowBytes = 0
  #bulk = Buffer.alloc(0)
  #hasAskedToWiden = false
  /** After a bulk write its successor is expected: a long read ahead would only have to be copied. */
  #isBulkExpected = false
  #failure: unknown = null
  /** What waits for the next flush, which serves all of them. */
  readonly #flushes: Request[] = []

  constructor(parts: LaneParts) {
    this.#parts = parts
    this.#requestBytes = requestBytes(parts.terms)
    this.#inputAddress = parts.addressOf(parts.input)
    this.#replies = new Replies(parts)
  }

  async run(): Promise<void> {
    try {
      for (;;) {
        const verdict = this.#lead()
        if (this.#flushes.length > 0) await this.#flushAll()
        if (verdict.next === 'bulk') await this.#serveBulk(verdict.request)
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
    }
  }

  /** Takes requests and serves the short ones, until there is something for which another lane should take over. */
  #lead(): Verdict {
    const { control } = this.#parts
    lock(control, controlWord.receiving)
    try {
      for (;;) {
        if (Atomics.load(control, controlWord.ended) === 1) return end
        const verdict = this.#serveReceived()
        if (verdict) return verdict
        this.#replies.leave()
        if (this.#slow.size > 0 || this.#flushes.length > 0) return settle
        if (!this.#receive()) return this.#endWith()
      }
    } finally {
      unlock(control, controlWord.receiving)
    }
  }

  /** Null when the next request has not arrived completely. */
  #serveReceived(): Verdict | null {
    const { control, input, terms } = this.#parts
    for (;;) {
      const start = control[controlWord.inputStart] ?? 0
      const received = (control[controlWord.inputEnd] ?? 0) - start
      if (received < this.#requestBytes) return null
      const request = decodeRequest(input, start, terms)
      // Without the magic number nothing says where the next request begins.
      if (!request || request.type === command.disconnect) return this.#endWith()
      const refusal = refuse(request, terms)
      const isBulk = request.byteCount >= bulkBytes && isTransfer(request)
      if (!isBulk) this.#isBulkExpected = false
      const payload = payloadBytes(request, terms)
      if (!refusal && !isBulk && received < this.#requestBytes + payload) return null
      control[controlWord.inputStart] = start + this.#requestBytes
      if (refusal) {
        if (!this.#skip(payload)) return this.#endWith()
        this.#refuse(request, refusal)
        continue
      }
      if (isBulk) return this.#takeBulk(request) ? { next: 'bulk', request } : this.#endWith()
      control[controlWord.inputStart] = start + this.#requestBytes + payload
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
    const cost = isTransfer(request) ? request.byteCount : 0
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
    const { offset, byteCount } = request
    switch (request.type) {
      case command.read:
        return this.#readSlowly(request)
      case command.write:
        assert(payload, 'a write has its payload')
        try {
          await device.write(payload.subarray(0, byteCount), offset)
        } finally {
          this.#buffers.give(payload)
        }
        break
      case command.writeZeroes:
        await device.zero(offset, byteCount)
        break
      case command.trim:
        await device.trim(offset, byteCount)
        break
      case command.cache:
        // "There is no guarantee of an actual performance gain": the page cache knows better.
        break
      case command.blockStatus: {
        const extents = await device.extents(offset, byteCount)
        const isOne = (request.flags & commandFlag.reqOne) !== 0
        const contextId = terms.allocationContextId ?? 0
        return this.#replies.add(encodeBlockStatus(request, contextId, isOne ? extents.slice(0, 1) : extents, terms))
      }
    }
    if (changesData(request) && (request.flags & commandFlag.fua) !== 0) await device.flush()
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
    const size = replyRoomBytes + request.byteCount
    if (this.#bulk.length < size) this.#bulk = Buffer.allocUnsafeSlow(size)
    this.#replies.leave()
    if (!this.#hasAskedToWiden) this.#parts.widen()
    this.#hasAskedToWiden = true
    this.#isBulkExpected = request.type === command.write
    return request.type === command.read || this.#receivePayload(request.byteCount)
  }

  #receivePayload(byteCount: number): boolean {
    const { control, input, wire, addressOf } = this.#parts
    const start = control[controlWord.inputStart] ?? 0
    const here = Math.min(byteCount, (control[controlWord.inputEnd] ?? 0) - start)
    input.copy(this.#bulk, replyRoomBytes, start, start + here)
    control[controlWord.inputStart] = start + here
    const address = addressOf(this.#bulk) + BigInt(replyRoomBytes)
    for (let done = here; done < byteCount; ) {
      const count = wire.receive(address + BigInt(done), byteCount - done)
      if (count === 0) return false
      done += count
    }
    return true
  }

  /** The other lane receives meanwhile. */
  async #serveBulk(request: Request): Promise<void> {
    const { device, terms } = this.#parts
    const { offset, byteCount } = request
    const data = this.#bulk.subarray(replyRoomBytes, replyRoomBytes + byteCount)
    try {
      if (request.type === command.read) {
        if (!device.readNow(data, offset)) await device.read(data, offset)
        const reply = finishReadReply(this.#bulk.subarray(0, replyRoomBytes + byteCount), request, terms)
        this.#replies.send(reply)
      } else {
        if (!device.writeNow(data, offset)) await device.write(data, offset)
        if ((request.flags & commandFlag.fua) !== 0) await device.flush()
        this.#replies.done(request)
      }
    } catch (error) {
      this.#refuseFor(request, error)
    }
    if (this.#bulk.length > bulkKeptBytes) this.#bulk = Buffer.alloc(0)
  }

  /** What the client may hear of an error; anything else ends the lane. */
  #refuseFor(request: Request, error: unknown): void {
    if (!(error instanceof DeviceFault)) throw error
    this.#refuse(request, { error: error.code, sentence: error.message })
  }

  #refuse(request: Request, { error, sentence }: Refusal): void {
    this.#replies.add(encodeError(request, error, sentence, this.#parts.terms))
  }

  /** Waits for more. False when there is none. */
  #receive(): boolean {
    const { control, input, wire } = this.#parts
    const start = control[controlWord.inputStart] ?? 0
    const kept = (control[controlWord.inputEnd] ?? 0) - start
    if (kept > 0 && start > 0) input.copyWithin(0, start, start + kept)
    control[controlWord.inputStart] = 0
    control[controlWord.inputEnd] = kept
    const room = this.#isBulkExpected ? this.#requestBytes : inputBytes - kept
    const count = wire.receive(this.#inputAddress + BigInt(kept), room)
    control[controlWord.inputEnd] = kept + count
    return count > 0
  }

  /** Throws a payload away as it comes. False when the connection is over. */
  #skip(byteCount: number): boolean {
    const { control } = this.#parts
    for (let left = byteCount; ; ) {
      const start = control[controlWord.inputStart] ?? 0
      const here = Math.min(left, (control[controlWord.inputEnd] ?? 0) - start)
      control[controlWord.inputStart] = start + here
      left -= here
      if (left === 0) return true
      this.#replies.leave()
      if (!this.#receive()) return false
    }
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

const isTransfer = ({ type }: Request): boolean => type === command.read || type === command.write

const changesData = ({ type }: Request): boolean =>
  type === command.write || type === command.writeZeroes || type === command.trim
