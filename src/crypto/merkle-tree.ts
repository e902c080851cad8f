// Merkle trees as RFC 6962 section 2.1 defines them (SHA-256, leaves and nodes hashed apart), and the two proofs of RFC 9162
// sections 2.1.3 and 2.1.4: that an entry is in a tree, and that a tree begins with another. Which hashes a proof holds is
// said in ranges of leaves; merkle-tiles.ts finds the hash of a range in what is stored.

import { createHash } from 'node:crypto'
import { assert } from '#base/assert.ts'

export const hashBytes = 32

/** Leaves from `start` up to, not including, `end`. */
export interface Range {
  readonly start: number
  readonly end: number
}

const sha256 = (...parts: readonly Uint8Array[]): Uint8Array => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

const leafMark = Uint8Array.of(0)
const nodeMark = Uint8Array.of(1)

export const hashLeaf = (entry: Uint8Array): Uint8Array => sha256(leafMark, entry)
export const hashNode = (left: Uint8Array, right: Uint8Array): Uint8Array => sha256(nodeMark, left, right)

/** The root over no entry at all. */
export const emptyRoot: Uint8Array = sha256()

/** PATH(m, D[n]): the ranges whose hashes prove that leaf `index` is in the tree of `size` leaves, from the leaf upwards. */
export function inclusionRanges(index: number, size: number): readonly Range[] {
  assert(index >= 0 && index < size, 'a leaf of the tree is proved')
  return path(index, { start: 0, end: size })
}

function path(index: number, { start, end }: Range): readonly Range[] {
  if (end - start === 1) return []
  const middle = start + splitOf(end - start)
  return index < middle
    ? [...path(index, { start, end: middle }), { start: middle, end }]
    : [...path(index, { start: middle, end }), { start, end: middle }]
}

/** PROOF(m, D[n]): the ranges whose hashes prove that the tree of `size` leaves begins with that of `oldSize`. */
export function consistencyRanges(oldSize: number, size: number): readonly Range[] {
  assert(oldSize >= 0 && oldSize <= size, 'a tree only grows')
  return oldSize === 0 || oldSize === size ? [] : subproof(oldSize, { start: 0, end: size }, true)
}

function subproof(oldEnd: number, { start, end }: Range, isRoot: boolean): readonly Range[] {
  if (oldEnd === end) return isRoot ? [] : [{ start, end }]
  const middle = start + splitOf(end - start)
  return oldEnd <= middle
    ? [...subproof(oldEnd, { start, end: middle }, isRoot), { start: middle, end }]
    : [...subproof(oldEnd, { start: middle, end }, false), { start, end: middle }]
}

/** The largest power of two below `count`. */
function splitOf(count: number): number {
  let split = 1
  while (split * 2 < count) split *= 2
  return split
}

/** RFC 9162 section 2.1.3.2. False for whatever is wrong: it judges what others sent. */
export function verifyInclusion(proved: {
  readonly leafHash: Uint8Array
  readonly index: number
  readonly size: number
  readonly proof: readonly Uint8Array[]
  readonly root: Uint8Array
}): boolean {
  const { leafHash, index, size, proof, root } = proved
  if (!isCount(index) || !isCount(size) || index >= size) return false
  const ranges = inclusionRanges(index, size)
  if (ranges.length !== proof.length || !proof.every(isHash)) return false
  const computed = proof.reduce((hash, sibling, step) => {
    const isLeft = (ranges[step]?.start ?? 0) > index
    return isLeft ? hashNode(hash, sibling) : hashNode(sibling, hash)
  }, leafHash)
  return isSame(computed, root)
}

/** RFC 9162 section 2.1.4.2. False for whatever is wrong. A tree of no leaves is the beginning of every tree. */
export function verifyConsistency(proved: {
  readonly oldSize: number
  readonly oldRoot: Uint8Array
  readonly size: number
  readonly root: Uint8Array
  readonly proof: readonly Uint8Array[]
}): boolean {
  const { oldSize, oldRoot, size, root, proof } = proved
  if (!isCount(oldSize) || !isCount(size) || oldSize > size || !proof.every(isHash)) return false
  if (oldSize === 0) return proof.length === 0 && isSame(oldRoot, emptyRoot)
  if (oldSize === size) return proof.length === 0 && isSame(oldRoot, root)
  const ranges = consistencyRanges(oldSize, size)
  if (ranges.length !== proof.length) return false
  return joined(ranges, proof, { oldSize, oldRoot, root })
}

/**
 * The two roots rebuilt from the hashes of the ranges, from the smallest upwards: those on the left belong to both trees,
 * those on the right to the new one only. Where the old tree is itself a node of the new one, its root begins both.
 */
function joined(
  ranges: readonly Range[],
  proof: readonly Uint8Array[],
  { oldSize, oldRoot, root }: { readonly oldSize: number; readonly oldRoot: Uint8Array; readonly root: Uint8Array },
): boolean {
  const isNode = (ranges[0]?.end ?? 0) > oldSize
  let older = isNode ? oldRoot : proof[0]
  let newer = older
  for (let step = isNode ? 0 : 1; step < proof.length; step += 1) {
    const hash = proof[step]
    if (!hash || !older || !newer) return false
    const isInOld = (ranges[step]?.end ?? 0) <= oldSize
    if (isInOld) older = hashNode(hash, older)
    newer = isInOld ? hashNode(hash, newer) : hashNode(newer, hash)
  }
  return older !== undefined && newer !== undefined && isSame(older, oldRoot) && isSame(newer, root)
}

const isCount = (value: number): boolean => Number.isSafeInteger(value) && value >= 0
const isHash = (bytes: Uint8Array): boolean => bytes.length === hashBytes
/** Roots are public: nothing is learnt from how long this takes. */
export const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0
