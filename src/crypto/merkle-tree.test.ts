// Vectors: the roots of the eight trees over the reference entries of the Certificate Transparency implementations.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { appendLeaves, rangeHash, rootHash, tilesOf, tileWidth } from './merkle-tiles.ts'
import type { Tile, TileReader } from './merkle-tiles.ts'
import {
  consistencyRanges,
  emptyRoot,
  hashLeaf,
  hashNode,
  inclusionRanges,
  verifyConsistency,
  verifyInclusion,
} from './merkle-tree.ts'

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const entry = (index: number): Uint8Array => Buffer.from(`entry ${index}`)
const leaves = (from: number, to: number): Uint8Array[] =>
  Array.from({ length: to - from }, (_, at) => hashLeaf(entry(from + at)))

/** A store of tiles, as a database holds them. */
class Tree {
  readonly #tiles = new Map<string, Tile>()
  size = 0

  constructor(hashes: readonly Uint8Array[] = []) {
    this.append(hashes)
  }

  append(hashes: readonly Uint8Array[]): void {
    const edge = [...this.#tiles.values()].filter((tile) => tile.hashes.length < tileWidth * 32)
    for (const tile of appendLeaves(this.size, edge, hashes)) this.#tiles.set(`${tile.level}/${tile.index}`, tile)
    this.size += hashes.length
  }

  read: TileReader = ({ level, index }) => {
    const tile = this.#tiles.get(`${level}/${index}`)
    assert.ok(tile, `tile ${level}/${index} is stored`)
    return tile.hashes
  }

  root(size = this.size): Uint8Array {
    return rootHash(size, this.read)
  }

  inclusion(index: number, size = this.size): Uint8Array[] {
    const ranges = inclusionRanges(index, size)
    assert.ok(tilesOf(ranges).every((name) => this.read(name).length > 0))
    return ranges.map((range) => rangeHash(range, this.read))
  }

  consistency(oldSize: number, size = this.size): Uint8Array[] {
    return consistencyRanges(oldSize, size).map((range) => rangeHash(range, this.read))
  }
}

/** MTH of RFC 6962 section 2.1, word for word. */
function plainRoot(hashes: readonly Uint8Array[]): Uint8Array {
  if (hashes.length === 0) return createHash('sha256').digest()
  const [only] = hashes
  if (hashes.length === 1 && only) return only
  let split = 1
  while (split * 2 < hashes.length) split *= 2
  return hashNode(plainRoot(hashes.slice(0, split)), plainRoot(hashes.slice(split)))
}

const published = [
  'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]

test('the published roots come out', () => {
  const entries = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f']
  const hashes = entries.map((text) => hashLeaf(Buffer.from(text, 'hex')))
  for (const [size, root] of published.entries()) assert.equal(hex(new Tree(hashes.slice(0, size)).root()), root)
})

test('tiles give the root of every size, however the leaves came', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 5 }), (batches) => {
      const tree = new Tree()
      for (const count of batches) tree.append(leaves(tree.size, tree.size + count))
      const all = leaves(0, tree.size)
      assert.equal(hex(tree.root()), hex(plainRoot(all)))
      const earlier = Math.floor(tree.size / 2)
      assert.equal(hex(tree.root(earlier)), hex(plainRoot(all.slice(0, earlier))))
    }),
    { numRuns: 30 },
  )
})

test('a tree of three levels of tiles holds together', () => {
  const tree = new Tree(leaves(0, 66_000))
  assert.equal(hex(tree.root()), hex(plainRoot(leaves(0, 66_000))))
  const [index, size] = [65_535, 66_000]
  const proved = { leafHash: hashLeaf(entry(index)), index, size, proof: tree.inclusion(index), root: tree.root() }
  assert.ok(verifyInclusion(proved))
})

test('every leaf of every small tree is proved, and under no other place, size or root', () => {
  const tree = new Tree(leaves(0, 40))
  for (let size = 1; size <= 40; size += 1) {
    for (let index = 0; index < size; index += 1) {
      const leafHash = hashLeaf(entry(index))
      const proved = { leafHash, index, size, proof: tree.inclusion(index, size), root: tree.root(size) }
      assert.ok(verifyInclusion(proved))
      assert.ok(!verifyInclusion({ ...proved, leafHash: hashLeaf(entry(41)) }))
      assert.ok(!verifyInclusion({ ...proved, root: tree.root(size - 1) }))
      assert.ok(!verifyInclusion({ ...proved, proof: [...proved.proof, leafHash] }))
      for (let other = 0; other < size; other += 1)
        assert.equal(verifyInclusion({ ...proved, index: other }), other === index)
    }
  }
})

test('every tree begins with every smaller one, and with nothing else', () => {
  const tree = new Tree(leaves(0, 40))
  const forged = new Tree([hashLeaf(entry(99)), ...leaves(1, 40)])
  for (let size = 0; size <= 40; size += 1) {
    for (let oldSize = 0; oldSize <= size; oldSize += 1) {
      const proof = tree.consistency(oldSize, size)
      const proved = { oldSize, oldRoot: tree.root(oldSize), size, root: tree.root(size), proof }
      assert.ok(verifyConsistency(proved), `${oldSize} of ${size}`)
      if (oldSize === 0) continue
      assert.ok(!verifyConsistency({ ...proved, oldRoot: forged.root(oldSize) }))
      assert.ok(!verifyConsistency({ ...proved, root: forged.root(size) }))
      for (let step = 0; step < proof.length; step += 1) {
        assert.ok(!verifyConsistency({ ...proved, proof: proof.with(step, hashLeaf(entry(99))) }))
        assert.ok(!verifyConsistency({ ...proved, proof: proof.toSpliced(step, 1) }))
      }
    }
  }
})

test('numbers that are no counts prove nothing', () => {
  const proved = { leafHash: emptyRoot, index: 0, size: 1, proof: [], root: emptyRoot }
  assert.ok(verifyInclusion(proved))
  for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53, Number.POSITIVE_INFINITY]) {
    assert.ok(!verifyInclusion({ ...proved, index: wrong }))
    assert.ok(!verifyInclusion({ ...proved, size: wrong }))
    assert.ok(!verifyConsistency({ oldSize: wrong, oldRoot: emptyRoot, size: 1, root: emptyRoot, proof: [] }))
  }
})
