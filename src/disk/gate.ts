// The fence, at the top of every volume. The right to serve is asked for before a request acts and again before its
// result leaves, so a request that was under way when the right ended is not answered, even if the event loop was held
// up past the moment at which a timer should have said so.

import { Fenced } from './device.ts'
import type { BlockDevice } from './device.ts'

/** `mayServe` is judged by the clock at each call. */
export function gated(device: BlockDevice, mayServe: () => boolean): BlockDevice {
  async function pass<Result>(work: () => Promise<Result>): Promise<Result> {
    if (!mayServe()) throw new Fenced()
    let result: Result
    try {
      result = await work()
    } catch (error) {
      // What the layers of a fenced volume say is nobody's business any more.
      throw mayServe() ? error : new Fenced()
    }
    if (!mayServe()) throw new Fenced()
    return result
  }

  function passNow(work: () => boolean): boolean {
    if (!mayServe()) throw new Fenced()
    let isDone: boolean
    try {
      isDone = work()
    } catch (error) {
      throw mayServe() ? error : new Fenced()
    }
    if (!mayServe()) throw new Fenced()
    return isDone
  }

  return {
    sizeBytes: device.sizeBytes,
    writesAtOnce: device.writesAtOnce,
    readNow: (target, offset) => passNow(() => device.readNow(target, offset)),
    writeNow: (source, offset) => passNow(() => device.writeNow(source, offset)),
    read: (target, offset) => pass(() => device.read(target, offset)),
    write: (source, offset) => pass(() => device.write(source, offset)),
    zero: (offset, byteCount) => pass(() => device.zero(offset, byteCount)),
    trim: (offset, byteCount) => pass(() => device.trim(offset, byteCount)),
    flush: () => pass(() => device.flush()),
    extents: (offset, byteCount) => pass(() => device.extents(offset, byteCount)),
    close: () => device.close(),
  }
}
