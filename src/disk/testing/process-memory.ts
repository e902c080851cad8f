// The memory of another process, searched for what should not be in it. For root, on Linux.

import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

const chunkBytes = 1024 * 1024

/** How often each of some texts of one length lies in the writable memory of a process. */
export function countInMemory(pid: number, needles: readonly Uint8Array[]): number[] {
  const counts = needles.map(() => 0)
  const fd = openSync(`/proc/${pid}/mem`, 'r')
  // What lies across the border of two chunks is in the overlap, and nothing is in it whole.
  const chunk = Buffer.alloc(chunkBytes + Math.max(...needles.map(({ length }) => length)) - 1)
  try {
    for (const { from, to } of residentRanges(pid)) {
      for (let at = from; at < to; at += chunkBytes) {
        const bytes = chunk.subarray(0, read(fd, chunk, at, Math.min(chunk.length, to - at)))
        for (const [index, needle] of needles.entries())
          counts[index] = (counts[index] ?? 0) + occurrences(bytes, needle)
      }
    }
  } finally {
    closeSync(fd)
  }
  return counts
}

function occurrences(bytes: Buffer, needle: Uint8Array): number {
  let count = 0
  for (let hit = bytes.indexOf(needle); hit >= 0; hit = bytes.indexOf(needle, hit + 1)) count += 1
  return count
}

function read(fd: number, target: Buffer, position: number, byteCount: number): number {
  try {
    return readSync(fd, target, 0, byteCount, position)
  } catch {
    // A page that went away meanwhile, or one that only the kernel reads.
    return 0
  }
}

/** Writable mappings that have pages. Reservations of many GiB with a few pages are looked through whole all the same. */
function residentRanges(pid: number): { from: number; to: number }[] {
  const ranges: { from: number; to: number }[] = []
  let current: { from: number; to: number } | null = null
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const head = /^([0-9a-f]+)-([0-9a-f]+) (rw\S+)/.exec(line)
    if (head) current = { from: Number.parseInt(head[1] ?? '', 16), to: Number.parseInt(head[2] ?? '', 16) }
    else if (/^[0-9a-f]+-[0-9a-f]+ /.test(line)) current = null
    if (current && /^Rss:\s+[1-9]/.test(line)) ranges.push(current)
  }
  return ranges
}
