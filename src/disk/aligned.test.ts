import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { aligned } from './aligned.ts'
import { checked } from './checked.ts'
import { memoryDevice } from './testing/memory-device.ts'

const blockBytes = 16
const sizeBytes = blockBytes * 12

const range = fc
  .tuple(fc.nat(sizeBytes - 1), fc.integer({ min: 1, max: sizeBytes }))
  .map(([offset, byteCount]) => ({ offset, byteCount: Math.min(byteCount, sizeBytes - offset) }))

const kind = fc.constantFrom('write', 'zero', 'trim', 'read')
const operation = fc.record({ kind, range, value: fc.integer({ min: 1, max: 255 }) })
type Operation = { kind: string; range: { offset: number; byteCount: number }; value: number }

function applyToModel(model: Uint8Array, { kind, range: { offset, byteCount }, value }: Operation): void {
  const end = offset + byteCount
  if (kind === 'write') model.fill(value, offset, end)
  if (kind === 'zero') model.fill(0, offset, end)
  const from = Math.ceil(offset / blockBytes) * blockBytes
  const to = Math.floor(end / blockBytes) * blockBytes
  if (kind === 'trim' && to > from) model.fill(0, from, to)
}

test('aligned() does concurrent requests of any bytes as if they came one after another', async () => {
  const delays = fc.infiniteStream(fc.nat(3))
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 40 }), delays, async (operations, delay) => {
      const below = memoryDevice({ sizeBytes, turns: () => Number(delay.next().value) })
      const device = aligned(checked(below, blockBytes), blockBytes)
      const model = new Uint8Array(sizeBytes)
      // The lock serves conflicting claims in order of arrival, so the model may take the same order.
      const running = operations.map((each) => {
        const { offset, byteCount } = each.range
        if (each.kind === 'read') return readAndCompare(offset, byteCount, model.slice(offset, offset + byteCount))
        applyToModel(model, each)
        if (each.kind === 'write') return device.write(new Uint8Array(byteCount).fill(each.value), offset)
        return each.kind === 'zero' ? device.zero(offset, byteCount) : device.trim(offset, byteCount)
      })
      await Promise.all(running)
      assert.deepEqual(below.bytes, model)

      async function readAndCompare(offset: number, byteCount: number, expected: Uint8Array): Promise<void> {
        const target = new Uint8Array(byteCount)
        await device.read(target, offset)
        assert.deepEqual(target, expected)
      }
    }),
    { numRuns: 300 },
  )
})

test('two partial writes of one block keep each other’s bytes', async () => {
  const below = memoryDevice({ sizeBytes, turns: () => 2 })
  const device = aligned(checked(below, blockBytes), blockBytes)
  await Promise.all([
    device.write(Uint8Array.of(1), 0),
    device.write(new Uint8Array(blockBytes).fill(9), 0),
    device.write(Uint8Array.of(2), 1),
  ])
  assert.deepEqual([...below.bytes.subarray(0, 3)], [9, 2, 9])
})

test('whole blocks are written without reading, and neighbours do not wait', async () => {
  const below = memoryDevice({ sizeBytes })
  const device = aligned(checked(below, blockBytes), blockBytes)
  await Promise.all([device.write(new Uint8Array(32), 0), device.write(new Uint8Array(16), 32)])
  assert.deepEqual(below.calls, ['write 0+32', 'write 32+16'])
})

test('a trim of less than a block changes nothing', async () => {
  const below = memoryDevice({ sizeBytes })
  await aligned(checked(below, blockBytes), blockBytes).trim(1, blockBytes)
  assert.deepEqual(below.calls, [])
})

test('extents begin and end where they were asked for', async () => {
  const below = memoryDevice({ sizeBytes })
  const device = aligned(checked(below, blockBytes), blockBytes)
  assert.deepEqual(await device.extents(5, 20), [{ byteCount: 20, hole: false }])
})

test('a failed request lets those that wait for its blocks go on', async () => {
  const below = memoryDevice({ sizeBytes, turns: () => 1 })
  const device = aligned(checked(below, blockBytes), blockBytes)
  below.failNext('EIO')
  const first = device.write(Uint8Array.of(1), 0)
  const second = device.write(Uint8Array.of(2), 1)
  await assert.rejects(first, { code: 'EIO' })
  await second
  assert.deepEqual([...below.bytes.subarray(0, 2)], [0, 2])
})
