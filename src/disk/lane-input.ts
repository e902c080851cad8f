// What a lane has received and not looked at yet: a stretch of memory that the lanes of a connection share, and whose turn
// it is to receive. All methods are for the lane whose turn it is.

import type { Wire } from './lane-replies.ts'
import { silence } from './lane-replies.ts'
import { controlWord } from './lane-port.ts'
import { machineMs } from './right.ts'
import { Patience } from './stall.ts'

export interface InputParts {
  readonly wire: Wire
  readonly control: Int32Array
  readonly input: Buffer
  addressOf(memory: NodeJS.ArrayBufferView): bigint
}

export class LaneInput {
  readonly #parts: InputParts
  readonly #address: bigint
  /** With the client, while it is in the middle of something. */
  #patience: Patience | null = null

  constructor(parts: InputParts) {
    this.#parts = parts
    this.#address = parts.addressOf(parts.input)
  }

  get start(): number {
    return this.#parts.control[controlWord.inputStart] ?? 0
  }

  get byteCount(): number {
    return (this.#parts.control[controlWord.inputEnd] ?? 0) - this.start
  }

  /** So many bytes have been looked at. */
  pass(byteCount: number): void {
    this.#parts.control[controlWord.inputStart] = this.start + byteCount
  }

  /** Waits for more, up to `roomBytes` together with what is there. False when there is none, or the client stalls. */
  receive(roomBytes: number): boolean {
    const { control, input } = this.#parts
    const { start, byteCount: kept } = this
    if (kept > 0 && start > 0) input.copyWithin(0, start, start + kept)
    control[controlWord.inputStart] = 0
    control[controlWord.inputEnd] = kept
    if (kept === 0) this.#patience = null
    const count = this.#receiveTo(this.#address + BigInt(kept), roomBytes - kept, kept > 0)
    control[controlWord.inputEnd] = kept + count
    return count > 0
  }

  /** Brings the next bytes to another place. False when the connection is over. */
  fill(target: Buffer): boolean {
    const { input, addressOf } = this.#parts
    const { start } = this
    const here = Math.min(target.length, this.byteCount)
    input.copy(target, 0, start, start + here)
    this.pass(here)
    const address = addressOf(target)
    for (let done = here; done < target.length; ) {
      const count = this.#receiveTo(address + BigInt(done), target.length - done, true)
      if (count === 0) return false
      done += count
    }
    return true
  }

  /** Throws the next bytes away as they come. False when the connection is over. `beforeWait` is called before waiting. */
  skip(byteCount: number, beforeWait: () => void): boolean {
    for (let left = byteCount; ; ) {
      const here = Math.min(left, this.byteCount)
      this.pass(here)
      left -= here
      if (left === 0) return true
      beforeWait()
      const count = this.#receiveTo(this.#address, Math.min(left, this.#parts.input.length), true)
      if (count === 0) return false
      left -= count
    }
  }

  /** 0 when the connection is over, or its client stalls in the middle of something. */
  #receiveTo(address: bigint, byteCountMax: number, isMidway: boolean): number {
    const { wire } = this.#parts
    for (;;) {
      const askedMs = isMidway ? machineMs() : 0
      const count = wire.receive(address, byteCountMax)
      if (isMidway && count !== 0) {
        this.#patience ??= new Patience()
        if (!this.#patience.lasts(machineMs() - askedMs, Math.max(count, 0))) return 0
      }
      if (count !== silence) return count
    }
  }
}
