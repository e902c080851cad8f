// Requests that are longer than what a lane has room for, served one piece after another. Nothing else of the connection
// is under way meanwhile.

import { lanePieceBytes } from '#base/limits.ts'
import { DeviceFault } from './device.ts'
import type { BlockDevice } from './device.ts'
import type { LaneInput } from './lane-input.ts'
import { controlWord } from './lane-port.ts'
import type { Replies, Wire } from './lane-replies.ts'
import { encodeError, encodePieceError, finishReadPiece, replyRoomBytes } from './nbd-transmission.ts'
import type { Request } from './nbd-transmission.ts'
import { commandFlag } from './nbd-wire.ts'
import type { Terms } from './request-rules.ts'
import { refusalOf } from './request-work.ts'

export interface PieceParts {
  readonly device: BlockDevice
  readonly terms: Terms
  readonly control: Int32Array
  readonly wire: Wire
  readonly input: LaneInput
  readonly replies: Replies
  /** Room for the header of a reply and so many bytes. */
  room(byteCount: number): Buffer
  /** No more requests are taken. */
  end(): void
}

export async function writeInPieces(request: Request, parts: PieceParts): Promise<void> {
  const { device, input, replies, terms } = parts
  let failure: DeviceFault | null = null
  for (let at = 0; at < request.byteCount; at += lanePieceBytes) {
    const data = parts.room(Math.min(lanePieceBytes, request.byteCount - at)).subarray(replyRoomBytes)
    if (!input.fill(data)) return parts.end()
    // After a fault the rest is still to be taken off the wire.
    failure ??= await faultOf(async () => {
      if (!device.writeNow(data, request.offset + at)) await device.write(data, request.offset + at)
    })
  }
  if ((request.flags & commandFlag.fua) !== 0) failure ??= await faultOf(() => device.flush())
  if (failure) replies.add(encodeError(request, refusalOf(failure), terms))
  else replies.done(request)
}

export async function readInPieces(request: Request, parts: PieceParts): Promise<void> {
  const { device, terms, control, wire, replies } = parts
  for (let at = 0; at < request.byteCount; at += lanePieceBytes) {
    if (Atomics.load(control, controlWord.ended) === 1) return
    const reply = parts.room(Math.min(lanePieceBytes, request.byteCount - at))
    const data = reply.subarray(replyRoomBytes)
    const failure = await faultOf(async () => {
      if (!device.readNow(data, request.offset + at)) await device.read(data, request.offset + at)
    })
    if (failure) {
      const bytes = encodePieceError(request, at, refusalOf(failure), terms)
      if (bytes) return replies.add(bytes)
      parts.end()
      return wire.hangUp()
    }
    replies.send(finishReadPiece(reply, request, at, terms))
  }
}

/** What the storage says went wrong, or null. Anything else is thrown. */
async function faultOf(work: () => Promise<void>): Promise<DeviceFault | null> {
  try {
    await work()
    return null
  } catch (error) {
    if (error instanceof DeviceFault) return error
    throw error
  }
}
