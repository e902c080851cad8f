// A device in memory, for tests: an ordinary implementation that can be slow and can fail on schedule.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { DeviceFault } from '../device.ts'
import type { BlockDevice, DeviceFaultCode } from '../device.ts'

export interface MemoryDevice extends BlockDevice {
  readonly bytes: Uint8Array
  /** Calls so far, such as `write 4096+8192`, in the order in which they took effect. */
  readonly calls: string[]
  /** The next call fails so. */
  failNext(code: DeviceFaultCode): void
}

export interface MemoryDeviceOptions {
  readonly sizeBytes: number
  /** Turns of the event loop that a call takes before it has its effect. */
  turns?(): number
}

export function memoryDevice({ sizeBytes, turns = () => 0 }: MemoryDeviceOptions): MemoryDevice {
  const bytes = new Uint8Array(sizeBytes)
  const calls: string[] = []
  let failure: DeviceFaultCode | null = null

  async function act(name: string, effect: () => void): Promise<void> {
    const code = failure
    failure = null
    for (let left = turns(); left > 0; left -= 1) await nextTurn()
    if (code) throw new DeviceFault(code, `${name} failed on schedule`)
    calls.push(name)
    effect()
  }

  return {
    sizeBytes,
    bytes,
    calls,
    // What takes turns takes them: the caller goes the long way.
    writesAtOnce: false,
    readNow: () => false,
    writeNow: () => false,
    failNext: (code) => {
      failure = code
    },
    read: (target, offset) =>
      act(`read ${offset}+${target.length}`, () => target.set(bytes.subarray(offset, offset + target.length))),
    write: (source, offset) => act(`write ${offset}+${source.length}`, () => bytes.set(source, offset)),
    zero: (offset, byteCount) => act(`zero ${offset}+${byteCount}`, () => bytes.fill(0, offset, offset + byteCount)),
    trim: (offset, byteCount) => act(`trim ${offset}+${byteCount}`, () => bytes.fill(0, offset, offset + byteCount)),
    flush: () => act('flush', () => undefined),
    async extents(offset, byteCount) {
      await act(`extents ${offset}+${byteCount}`, () => undefined)
      return [{ byteCount, hole: false }]
    },
    close: () => act('close', () => undefined),
  }
}
