// The bytes of a volume's tags: docs/formats.md, "Tags of a volume". The vectors were computed by another program.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { readVectors } from '../../test/vectors/read-vectors.ts'
import { pageOffset, rootBytes, rootTags, tagBytes, tagFileBytes, topLevel } from './tag-layout.ts'
import { decodeRoot, encodeRoot, macOfRoot } from './tag-root.ts'
import { tagMac } from './volume-tags.ts'

for (const vector of readVectors('block-mac')) {
  test(`tags agree with ${vector.file}`, () => {
    using volumeKey = SecretBytes.own(vector.hex('volume-key'))
    using mac = tagMac(volumeKey, vector.text('volume-id'))
    if (vector.has('generation')) {
      const tags = Buffer.alloc(rootTags * tagBytes)
      tags.fill(9, 0, tagBytes)
      const block = encodeRoot(mac, Number(vector.text('generation')), tags)
      assert.equal(block.length, rootBytes)
      assert.deepEqual(new Uint8Array(macOfRoot(block)), vector.bytes)
      assert.deepEqual(decodeRoot(mac, block, 2), { generation: 7, tags, mac: macOfRoot(block), place: 2 })
      for (const at of [0, 9, 40, 64, 8100, 8130, 8191]) {
        block[at] = (block[at] ?? 0) ^ 1
        assert.equal(decodeRoot(mac, block, 2), null, `byte ${at}`)
        block[at] = (block[at] ?? 0) ^ 1
      }
      return
    }
    const place = {
      kind: Number(vector.text('kind')),
      level: Number(vector.text('level')),
      number: Number(vector.text('number')),
    }
    const block = Uint8Array.from({ length: 4096 }, (_, i) => (i * 7) % 256)
    assert.deepEqual(new Uint8Array(mac.tag(place, block)), vector.bytes)
    using other = tagMac(volumeKey, 'r006-another')
    assert.notDeepEqual(new Uint8Array(other.tag(place, block)), vector.bytes, 'tags are bound to their volume')
  })
}

test('pages follow each other as a walk from the top meets them, and none overlaps another', () => {
  const first = 3 * 8192
  const step = 3 * 4096
  assert.deepEqual(
    [
      [topLevel, 0],
      [1, 0],
      [0, 0],
      [0, 255],
      [1, 1],
      [0, 256],
      [topLevel, 1],
    ].map(([level = 0, index = 0]) => (pageOffset(level, index) - first) / step),
    [0, 1, 2, 257, 258, 259, 65_793],
  )
  // The largest volume has room below one root.
  assert.ok(Math.ceil((32_000 * 2 ** 30) / 2 ** 36) <= rootTags)
  assert.equal(tagFileBytes(4096), first + 3 * step)
  assert.equal(tagFileBytes(2 ** 20 + 1), first + 4 * step)
})
