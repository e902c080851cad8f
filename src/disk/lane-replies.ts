// What a lane answers: replies gather in one piece of memory and leave in one call. The last look at the right to serve is
// here, before anything leaves.

import { Fenced } from './device.ts'
import { controlWord } from './lane-port.ts'
import { lock, unlock } from './mutex.ts'
import { doneBytesMax, putDone, putReadHeader, readHeaderBytes, replyRoomBytes } from './nbd-transmission.ts'
import type { Request } from './nbd-transmission.ts'
import type { Terms } from './request-rules.ts'
import type { SeenRight } from './right.ts'

/** Of `receive`: nothing has come for a while. */
export const silence = -1

/**
 * How bytes come and go. Both wait. `receive` gives 0 when the connection is over and `silence` when nothing has come for
 * half of `nbdStallMs`; `send` gives false when the connection is over or its client does not take what is sent.
 */
export interface Wire {
  receive(address: bigint, byteCountMax: number): number
  send(address: bigint, byteCount: number): boolean
  /** Says goodbye, where there is a way to, after the last reply. */
  close(): void
  /** Wakes whoever waits in any of these, here and in the other lane. */
  hangUp(): void
}

export interface ReplyParts {
  readonly wire: Wire
  readonly right: SeenRight
  readonly terms: Terms
  readonly control: Int32Array
  addressOf(memory: NodeJS.ArrayBufferView): bigint
}

/** Requests from this size on have a lane to themselves: below it, passing the work on costs more than it gains. */
export const bulkBytes = 256 * 1024
/** Replies that leave together. More would keep the client waiting for the first of them. */
const gatheredBytesMax = bulkBytes + replyRoomBytes

export class Replies {
  readonly #parts: ReplyParts
  readonly #headerBytes: number
  readonly #gathered = Buffer.allocUnsafeSlow(gatheredBytesMax)
  readonly #address: bigint
  #end = 0

  constructor(parts: ReplyParts) {
    this.#parts = parts
    this.#headerBytes = readHeaderBytes(parts.terms)
    this.#address = parts.addressOf(this.#gathered)
  }

  /** Has the data of a read put where they leave from. False when `fill` says so; then there is no reply. */
  read(request: Request, fill: (data: Uint8Array) => boolean): boolean {
    const replyBytes = this.#headerBytes + request.byteCount
    if (this.#end + replyBytes > gatheredBytesMax) this.leave()
    const dataAt = this.#end + this.#headerBytes
    if (!fill(this.#gathered.subarray(dataAt, dataAt + request.byteCount))) return false
    putReadHeader(this.#gathered, this.#end, request, this.#parts.terms)
    this.#end += replyBytes
    return true
  }

  done(request: Request): void {
    if (this.#end + doneBytesMax > gatheredBytesMax) this.leave()
    this.#end += putDone(this.#gathered, this.#end, request, this.#parts.terms)
  }

  /** A reply of any length. */
  add(bytes: Buffer): void {
    if (this.#end + bytes.length > gatheredBytesMax) this.leave()
    if (bytes.length > gatheredBytesMax) return this.send(bytes)
    this.#gathered.set(bytes, this.#end)
    this.#end += bytes.length
  }

  /** Sends what has gathered. */
  leave(): void {
    const byteCount = this.#end
    this.#end = 0
    if (byteCount > 0) this.#send(this.#address, byteCount)
  }

  /** A reply that leaves from where it is. */
  send(bytes: Buffer): void {
    this.#send(this.#parts.addressOf(bytes), bytes.length)
  }

  /** Whoever ends the right shuts the socket down next, so that a reply which comes after that look is lost. */
  #send(address: bigint, byteCount: number): void {
    const { control, wire, right } = this.#parts
    lock(control, controlWord.sending)
    try {
      if (!right.mayServe()) throw new Fenced()
      if (!wire.send(address, byteCount)) Atomics.store(control, controlWord.ended, 1)
    } finally {
      unlock(control, controlWord.sending)
    }
  }
}
