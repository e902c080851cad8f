// The file of an image in memory, for tests: its data area as a device, and all of it as an area, whose writes are noted in
// one log.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { luks2DataOffsetBytes } from '#crypto/luks2.ts'
import { DeviceFault } from '../device.ts'
import type { BlockDevice } from '../device.ts'
import type { ImageArea } from '../image-area.ts'
import type { Entry } from './power-cut.ts'

const sectorBytes = 4096

export interface MemoryImage {
  readonly bytes: Buffer
  readonly store: BlockDevice
  readonly area: ImageArea
  /** Lets what is under way go on a little. */
  turn(): Promise<void>
  failWrites(): void
}

export interface MemoryImageOptions {
  readonly log?: Entry[]
  readonly bytes?: Buffer
  /** Turns of the event loop that a call takes before it has its effect. */
  turns?(): number
}

export function memoryImage(sizeBytes: number, options: MemoryImageOptions = {}): MemoryImage {
  const { log = [], bytes = Buffer.alloc(luks2DataOffsetBytes + sizeBytes), turns = () => 1 } = options
  let fails = false

  async function pass(): Promise<void> {
    for (let left = turns(); left > 0; left -= 1) await nextTurn()
  }
  async function write(data: Uint8Array, position: number): Promise<void> {
    await pass()
    if (fails) throw new DeviceFault('EIO', 'failed on purpose')
    log.push({ kind: 'write', offset: position, bytes: Buffer.from(data) })
    bytes.set(data, position)
  }
  async function punch(from: number, to: number): Promise<void> {
    await pass()
    log.push({ kind: 'punch', offset: from, byteCount: to - from })
    bytes.fill(0, from, to)
  }
  async function flush(): Promise<void> {
    await pass()
    log.push({ kind: 'flush' })
  }
  const read = async (byteCount: number, position: number): Promise<Buffer> => {
    await pass()
    const found = Buffer.alloc(byteCount)
    bytes.copy(found, 0, position, position + byteCount)
    return found
  }
  const isHole = (at: number): boolean =>
    bytes.subarray(luks2DataOffsetBytes + at, luks2DataOffsetBytes + at + sectorBytes).every((byte) => byte === 0)

  const store: BlockDevice = {
    sizeBytes,
    writesAtOnce: false,
    readNow: () => false,
    writeNow: () => false,
    async read(target, offset) {
      target.set(await read(target.length, luks2DataOffsetBytes + offset))
    },
    write: (source, offset) => write(source, luks2DataOffsetBytes + offset),
    zero: (offset, byteCount) => punch(luks2DataOffsetBytes + offset, luks2DataOffsetBytes + offset + byteCount),
    trim: (offset, byteCount) => punch(luks2DataOffsetBytes + offset, luks2DataOffsetBytes + offset + byteCount),
    flush,
    async extents(offset, byteCount) {
      await pass()
      const hole = isHole(offset)
      let end = offset
      while (end < offset + byteCount && isHole(end) === hole) end += sectorBytes
      return [{ byteCount: end - offset, hole }]
    },
    close: async () => undefined,
  }
  return {
    bytes,
    store,
    area: { read, write, clear: punch, flush },
    turn: () => nextTurn(),
    failWrites: () => void (fails = true),
  }
}
