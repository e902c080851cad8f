import assert from 'node:assert/strict'
import { test } from 'node:test'
import { backupChunkBytes } from '#base/limits.ts'
import { systemRandom } from '#base/random.ts'
import { readVectors } from '../../test/vectors/read-vectors.ts'
import { formatHead, openStream, readHead, sealStream } from './backup-stream.ts'
import type { ByteSource } from './backup-stream.ts'
import { SecretBytes } from './secret-bytes.ts'

const key = SecretBytes.own(new Uint8Array(32).fill(7))
const damaged = { name: 'Fault', code: 'unprocessable' }

function sourceOf(bytes: Uint8Array): ByteSource {
  let at = 0
  return {
    async read(count) {
      const part = bytes.subarray(at, at + count)
      at += part.length
      return part
    },
  }
}

const collect = async (parts: AsyncIterable<Uint8Array>): Promise<Uint8Array> =>
  Buffer.concat(await Array.fromAsync(parts))

async function seal(payload: Uint8Array, head = Uint8Array.of(1, 2, 3)): Promise<Uint8Array> {
  const all = formatHead(head)
  return Buffer.concat([all, await collect(sealStream(key, all, sourceOf(payload)))])
}

async function open(file: Uint8Array, with_ = key): Promise<Uint8Array> {
  const source = sourceOf(file)
  const { all } = await readHead(source)
  return await collect(openStream(with_, all, source))
}

for (const vector of readVectors('backup')) {
  test(`openStream() of ${vector.file}: ${vector.text('comment')}`, async () => {
    const opened = open(vector.bytes, SecretBytes.own(vector.hex('key')))
    if (vector.text('expect') === 'refused') await assert.rejects(opened, damaged)
    else assert.deepEqual(new Uint8Array(await opened), vector.hex('payload'))
  })
}

for (const byteCount of [0, 1, backupChunkBytes - 1, backupChunkBytes, backupChunkBytes + 1, 3 * backupChunkBytes]) {
  test(`a payload of ${byteCount} bytes comes back`, async () => {
    const payload = systemRandom.bytes(byteCount)
    const file = await seal(payload)
    assert.deepEqual(new Uint8Array(await open(file)), payload)
    // An end at the border of two chunks is no end.
    for (const chunk of [0, 1, 2, 3]) {
      const cut = file.subarray(0, formatHead(Uint8Array.of(1, 2, 3)).length + chunk * (backupChunkBytes + 16))
      if (cut.length < file.length) await assert.rejects(open(cut), damaged)
    }
  })
}

test('every flipped bit, every truncation and anything behind the end is refused', async () => {
  const file = await seal(Uint8Array.of(5, 6, 7, 8))
  for (let bit = 0; bit < file.length * 8; bit += 1) {
    const flipped = Uint8Array.from(file)
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    await assert.rejects(open(flipped), damaged, `bit ${bit}`)
  }
  for (let length = 0; length < file.length; length += 1) await assert.rejects(open(file.subarray(0, length)), damaged)
  await assert.rejects(open(Buffer.concat([file, Uint8Array.of(0)])), damaged)
})

test('chunks do not change places, nor files', async () => {
  const payload = systemRandom.bytes(3 * backupChunkBytes)
  const file = Uint8Array.from(await seal(payload))
  const from = formatHead(Uint8Array.of(1, 2, 3)).length
  const sealedChunk = backupChunkBytes + 16
  const first = file.slice(from, from + sealedChunk)
  file.copyWithin(from, from + sealedChunk, from + 2 * sealedChunk)
  file.set(first, from + sealedChunk)
  await assert.rejects(open(file), damaged)

  const other = await seal(payload, Uint8Array.of(1, 2, 4))
  await assert.rejects(open(Buffer.concat([file.subarray(0, from), other.subarray(from)])), damaged)
  await assert.rejects(open(other, SecretBytes.own(new Uint8Array(32).fill(8))), damaged)
})
