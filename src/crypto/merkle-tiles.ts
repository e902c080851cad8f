// A Merkle tree stored as tiles, as c2sp.org/tlog-tiles lays them out: tile n of level l holds up to 256 hashes, each the
// root of 256^l leaves. Only the last tile of each level is not full, so that appending touches few rows and any hash of the
// tree is found in, or computed from, one tile.

import { assert } from '#base/assert.ts'
import { emptyRoot, hashBytes, hashNode } from './merkle-tree.ts'
import type { Range } from './merkle-tree.ts'

/** 2^8 hashes. */
const tileHeight = 8
export const tileWidth = 2 ** tileHeight

export interface TileName {
  readonly level: number
  readonly index: number
}

export interface Tile extends TileName {
  /** 1 to 256 hashes, one after the other. */
  readonly hashes: Uint8Array
}

/** A tile that has at least the hashes that a tree of the size in question needs. */
export type TileReader = (name: TileName) => Uint8Array

/** How many hashes of its last tile at `level` a tree has. */
export const partialWidth = (size: number, level: number): number => Math.floor(size / tileWidth ** level) % tileWidth

/**
 * Adds leaves to a tree. `edge` is the last tile of each level that is not full, for those that have one. Returned are the
 * tiles that have changed, full ones and partial ones: what is to be stored.
 */
export function appendLeaves(size: number, edge: readonly Tile[], leafHashes: readonly Uint8Array[]): readonly Tile[] {
  const changed: Tile[] = []
  let fresh = leafHashes
  for (let level = 0; fresh.length > 0; level += 1) {
    const old = edge.find((tile) => tile.level === level)
    assert((old?.hashes.length ?? 0) === partialWidth(size, level) * hashBytes, 'the edge is that of the tree')
    const all = Buffer.concat([old?.hashes ?? new Uint8Array(0), ...fresh])
    const first = Math.floor(size / tileWidth ** (level + 1))
    const tiles: Tile[] = []
    for (let from = 0; from < all.length; from += tileWidth * hashBytes) {
      const hashes = new Uint8Array(all.subarray(from, from + tileWidth * hashBytes))
      tiles.push({ level, index: first + tiles.length, hashes })
    }
    changed.push(...tiles)
    fresh = tiles.filter(isFull).map(({ hashes }) => foldHashes(hashes))
  }
  return changed
}

const isFull = ({ hashes }: Tile): boolean => hashes.length === tileWidth * hashBytes

/** Names of the tiles that rangeHash() reads for these ranges. */
export function tilesOf(ranges: readonly Range[]): readonly TileName[] {
  const names = ranges.flatMap((range) => completeNodes(range).map(tileOfNode))
  return [...new Map(names.map(({ level, index }) => [`${level}/${index}`, { level, index }])).values()]
}

/** The root of the tree of `size` leaves. */
export const rootHash = (size: number, read: TileReader): Uint8Array =>
  size === 0 ? emptyRoot : rangeHash({ start: 0, end: size }, read)

/** MTH(D[start:end]), for a range that a proof or a root names: `start` is a multiple of a power of two not below its length. */
export function rangeHash(range: Range, read: TileReader): Uint8Array {
  const hashes = completeNodes(range).map((node) => {
    const { level, index, from, count } = tileOfNode(node)
    const tile = read({ level, index })
    assert(tile.length >= (from + count) * hashBytes, 'a tile has what a tree of this size needs')
    return foldHashes(tile.subarray(from * hashBytes, (from + count) * hashBytes))
  })
  const last = hashes.pop()
  assert(last, 'a range has leaves')
  return hashes.reduceRight((right, left) => hashNode(left, right), last)
}

interface Node {
  /** 2^height leaves. */
  readonly height: number
  readonly index: number
}

/** A range as the complete subtrees that it consists of, from left to right; each is smaller than the one before. */
function completeNodes({ start, end }: Range): readonly Node[] {
  const nodes: Node[] = []
  for (let from = start; from < end; ) {
    let height = 0
    while (2 ** (height + 1) <= end - from && from % 2 ** (height + 1) === 0) height += 1
    nodes.push({ height, index: from / 2 ** height })
    from += 2 ** height
  }
  return nodes
}

/** Where a node's hash is, or those that it is computed from: `count` hashes of one tile, a power of two. */
function tileOfNode({ height, index }: Node): TileName & { readonly from: number; readonly count: number } {
  const level = Math.floor(height / tileHeight)
  const count = 2 ** (height % tileHeight)
  const first = index * count
  return { level, index: Math.floor(first / tileWidth), from: first % tileWidth, count }
}

/** The root over a power of two of hashes. */
function foldHashes(hashes: Uint8Array): Uint8Array {
  const count = hashes.length / hashBytes
  if (count === 1) return hashes
  const middle = (count / 2) * hashBytes
  return hashNode(foldHashes(hashes.subarray(0, middle)), foldHashes(hashes.subarray(middle)))
}
