import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Preservation } from './preservation.ts'

const KiB = 1024
const TiB = 1024 ** 4

test('a volume has chunks of 64 KiB, and of more where there would be too many marks', () => {
  const cases = [
    [4096, 64 * KiB],
    [TiB, 64 * KiB],
    [TiB + 4096, 128 * KiB],
    [16 * TiB, 1024 * KiB],
  ] as const
  for (const [sizeBytes, chunkBytes] of cases) {
    const preservation = new Preservation(sizeBytes)
    assert.equal(preservation.chunkBytes, chunkBytes)
    assert.ok(preservation.memory.byteLength <= 2 * 1024 * KiB + 64)
  }
})

test('what is pending is what has not been kept, in every thread', () => {
  const sizeBytes = 10 * 64 * KiB + 4096
  const ours = new Preservation(sizeBytes)
  const theirs = new Preservation(sizeBytes, ours.memory)
  assert.equal(theirs.isPending(0, sizeBytes), false)
  ours.begin(7)
  assert.equal(theirs.target()?.fd, 7)
  theirs.markKept(64 * KiB, 128 * KiB)
  theirs.markKept(640 * KiB, 4096)
  assert.equal(ours.isPending(64 * KiB, 128 * KiB), false)
  assert.equal(ours.isPending(64 * KiB - 1, 1), true)
  assert.equal(ours.isPending(192 * KiB - 1, 2), true)
  assert.deepEqual(ours.pendingRuns(0, sizeBytes), [
    { offset: 0, byteCount: 64 * KiB },
    { offset: 192 * KiB, byteCount: 448 * KiB },
  ])
  theirs.fail('ENOSPC')
  assert.deepEqual([ours.isPending(0, 1), ours.target(), ours.failure], [false, null, 'ENOSPC'])
  ours.end()
  assert.equal(theirs.failure, 'ENOSPC', 'who copies in the background still has to hear of it')
  ours.begin(8)
  assert.deepEqual([theirs.failure, theirs.isPending(64 * KiB, 1), theirs.target()?.round], [null, true, 2])
})
