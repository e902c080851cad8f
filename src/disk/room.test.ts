import assert from 'node:assert/strict'
import { test } from 'node:test'
import { keepRoom } from './room.ts'

const MiB = 1024 * 1024

test('keepRoom() refuses a write that would touch the reserve, and lets writes through again when there is room', () => {
  let free = 100 * MiB
  const take = keepRoom(0, () => free)
  take(4096)
  free = 0
  // What was looked at before may still be used up, and no more.
  let written = 0
  assert.throws(
    () => {
      for (; written < 10 * MiB; written += 65_536) take(65_536)
    },
    { name: 'DeviceFault', code: 'ENOSPC' },
  )
  assert.ok(written <= 4 * MiB)
  assert.throws(() => take(512), { code: 'ENOSPC' })
  free = 100 * MiB
  take(512)
})

test('keepRoom() leaves it to the file system where it cannot be asked', () => {
  const take = keepRoom(0, () => {
    throw new Error('no /proc')
  })
  take(MiB)
})
