// Stands between every two layers, so that the layers themselves can stay short: what a layer asks for lies on the
// device and consists of whole blocks, and what it hears back is possible. A violation is a bug of ours.

import { assert } from '#base/assert.ts'
import type { BlockDevice, Extent } from './device.ts'

export function checked(device: BlockDevice, blockBytes: number): BlockDevice {
  let open = true

  function check(offset: number, byteCount: number): void {
    assert(open, 'a closed device is not used')
    assert(Number.isSafeInteger(offset) && offset >= 0, 'an offset is a whole number')
    assert(Number.isSafeInteger(byteCount) && byteCount > 0, 'a request has at least one byte')
    assert(offset + byteCount <= device.sizeBytes, 'a request lies within the device')
    assert(offset % blockBytes === 0 && byteCount % blockBytes === 0, 'a request consists of whole blocks')
  }

  function checkExtents(extents: readonly Extent[], byteCount: number): readonly Extent[] {
    let sum = 0
    for (const extent of extents) {
      assert(extent.byteCount > 0 && extent.byteCount % blockBytes === 0, 'an extent consists of whole blocks')
      sum += extent.byteCount
    }
    assert(sum > 0 && sum <= byteCount, 'extents describe something, and nothing that was not asked for')
    return extents
  }

  return {
    sizeBytes: device.sizeBytes,
    writesAtOnce: device.writesAtOnce,
    readNow(target, offset) {
      check(offset, target.length)
      return device.readNow(target, offset)
    },
    writeNow(source, offset) {
      check(offset, source.length)
      const isDone = device.writeNow(source, offset)
      assert(isDone || !device.writesAtOnce, 'a device that writes at once does')
      return isDone
    },
    read(target, offset) {
      check(offset, target.length)
      return device.read(target, offset)
    },
    write(source, offset) {
      check(offset, source.length)
      return device.write(source, offset)
    },
    zero(offset, byteCount) {
      check(offset, byteCount)
      return device.zero(offset, byteCount)
    },
    trim(offset, byteCount) {
      check(offset, byteCount)
      return device.trim(offset, byteCount)
    },
    flush() {
      assert(open, 'a closed device is not flushed')
      return device.flush()
    },
    async extents(offset, byteCount) {
      check(offset, byteCount)
      return checkExtents(await device.extents(offset, byteCount), byteCount)
    },
    close() {
      assert(open, 'a device is closed once')
      open = false
      return device.close()
    },
  }
}
