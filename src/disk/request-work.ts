// What requests do to a device, whoever reads them off the wire and answers them.

import { assert } from '#base/assert.ts'
import type { BlockDevice, DeviceFault } from './device.ts'
import { changesData, encodeBlockStatus } from './nbd-transmission.ts'
import type { Refusal, Request } from './nbd-transmission.ts'
import { command, commandFlag } from './nbd-wire.ts'
import type { Terms } from './request-rules.ts'

/** Does what a request asks for that is answered by "done". `payload` is a write's, and may be longer. */
export async function carryOut(device: BlockDevice, request: Request, payload: Buffer | null): Promise<void> {
  const { type, offset, byteCount, flags } = request
  switch (type) {
    case command.write:
      assert(payload, 'a write has its payload')
      await device.write(payload.subarray(0, byteCount), offset)
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
  }
  if (changesData(request) && (flags & commandFlag.fua) !== 0) await device.flush()
}

/** What the client may hear of a fault. */
export const refusalOf = ({ code, message }: DeviceFault): Refusal => ({ error: code, sentence: message })

/** The reply to a question for extents. */
export async function statusReply(device: BlockDevice, request: Request, terms: Terms): Promise<Buffer> {
  const extents = await device.extents(request.offset, request.byteCount)
  const isOne = (request.flags & commandFlag.reqOne) !== 0
  return encodeBlockStatus(request, terms.allocationContextId ?? 0, isOne ? extents.slice(0, 1) : extents, terms)
}
