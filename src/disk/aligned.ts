// Turns requests for any bytes into requests for whole blocks of the device below. A write that covers part of a block
// reads the block first, so everything that touches a block takes its turn: two partial writes of one block, or a
// partial and a whole one, never undo each other, and a read that waits for the disk never sees half of a write.

import type { BlockDevice, Extent } from './device.ts'
import { RangeLock } from './range-lock.ts'
import type { Claims } from './range-lock.ts'

/** Zeroing more than this is several claims: nothing waits for terabytes, and nobody was promised that it is one change. */
const zeroClaimBytes = 64 * 1024 * 1024

/** `lock` is shared by all threads that work on the same blocks. */
export function aligned(device: BlockDevice, blockBytes: number, lock: Claims = new RangeLock()): BlockDevice {
  const down = (offset: number): number => offset - (offset % blockBytes)
  const up = (offset: number): number => down(offset + blockBytes - 1)
  const isWhole = (offset: number, byteCount: number): boolean =>
    offset % blockBytes === 0 && byteCount % blockBytes === 0

  /** The whole blocks that the bytes lie in. */
  function cover(offset: number, byteCount: number): { offset: number; byteCount: number } {
    const from = down(offset)
    return { offset: from, byteCount: up(offset + byteCount) - from }
  }

  /** Rewrites the blocks around some bytes. The caller holds the range. */
  async function patch(source: Uint8Array, offset: number): Promise<void> {
    const range = cover(offset, source.length)
    const blocks = new Uint8Array(range.byteCount)
    const tailStart = range.byteCount - blockBytes
    const isHeadPartial = offset !== range.offset
    const isTailPartial = offset + source.length !== range.offset + range.byteCount
    if (isHeadPartial) await device.read(blocks.subarray(0, blockBytes), range.offset)
    if (isTailPartial && !(isHeadPartial && tailStart === 0)) {
      await device.read(blocks.subarray(tailStart), range.offset + tailStart)
    }
    blocks.set(source, offset - range.offset)
    await device.write(blocks, range.offset)
  }

  async function zeroBytes(offset: number, byteCount: number): Promise<void> {
    const end = offset + byteCount
    const from = Math.min(up(offset), end)
    const to = Math.max(down(end), from)
    if (from > offset) await patch(new Uint8Array(from - offset), offset)
    if (to > from) await device.zero(from, to - from)
    if (end > to) await patch(new Uint8Array(end - to), to)
  }

  async function readBytes(target: Uint8Array, offset: number): Promise<void> {
    const range = cover(offset, target.length)
    const blocks = new Uint8Array(range.byteCount)
    await device.read(blocks, range.offset)
    target.set(blocks.subarray(offset - range.offset, offset - range.offset + target.length))
  }

  return {
    sizeBytes: device.sizeBytes,
    writesAtOnce: false,
    readNow(target, offset) {
      if (!isWhole(offset, target.length)) return false
      const place = lock.tryClaim(offset, target.length, false)
      if (place < 0) return false
      try {
        return device.readNow(target, offset)
      } finally {
        lock.release(place)
      }
    },
    writeNow(source, offset) {
      if (!isWhole(offset, source.length)) return false
      const place = lock.tryClaim(offset, source.length, true)
      if (place < 0) return false
      try {
        return device.writeNow(source, offset)
      } finally {
        lock.release(place)
      }
    },
    read(target, offset) {
      const whole = isWhole(offset, target.length)
      return lock.run({ ...cover(offset, target.length), exclusive: false }, () =>
        whole ? device.read(target, offset) : readBytes(target, offset),
      )
    },
    write(source, offset) {
      const whole = isWhole(offset, source.length)
      return lock.run({ ...cover(offset, source.length), exclusive: true }, () =>
        whole ? device.write(source, offset) : patch(source, offset),
      )
    },
    async zero(offset, byteCount) {
      const end = offset + byteCount
      for (let at = offset; at < end; ) {
        const [from, to] = [at, Math.min(end, down(at) + zeroClaimBytes)]
        await lock.run({ ...cover(from, to - from), exclusive: true }, () => zeroBytes(from, to - from))
        at = to
      }
    },
    async trim(offset, byteCount) {
      // NBD_CMD_TRIM: the server may "round offset up and length down to meet internal alignment constraints".
      const from = up(offset)
      const to = down(offset + byteCount)
      if (to <= from) return
      await lock.run({ offset: from, byteCount: to - from, exclusive: true }, () => device.trim(from, to - from))
    },
    flush: () => device.flush(),
    async extents(offset, byteCount) {
      const range = cover(offset, byteCount)
      return clip(await device.extents(range.offset, range.byteCount), offset - range.offset, byteCount)
    },
    close: () => device.close(),
  }
}

/** The part of the extents that begins after `skip` bytes and has at most `byteCount` bytes. */
function clip(extents: readonly Extent[], skip: number, byteCount: number): Extent[] {
  const clipped: Extent[] = []
  let left = byteCount
  for (const extent of extents) {
    const usable = Math.min(extent.byteCount - skip, left)
    skip = 0
    if (usable <= 0) break
    clipped.push({ byteCount: usable, hole: extent.hole })
    left -= usable
  }
  return clipped
}
