// What machines say is read at a pace of ours: one that prints, or breaks its disks, without end must not take the server's
// time. It waits while nobody reads.

import type { Readable } from 'node:stream'
import type { Clock } from '#base/clock.ts'
import { machineReadsPerTurn, machineTurnMs } from '#base/limits-compute.ts'

export function pace(from: Readable, clock: Clock): void {
  let left = machineReadsPerTurn
  from.on('data', () => {
    if (left === machineReadsPerTurn) clock.after(machineTurnMs, next)
    left -= 1
    if (left === 0) from.pause()
  })
  function next(): void {
    left = machineReadsPerTurn
    from.resume()
  }
}
