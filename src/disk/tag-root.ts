// The root of a volume's tags: all of them at one moment, in one block that vouches for itself. Which of several counts is
// decided by its generation and by what is remembered elsewhere (tag-recovery.ts).

import { timingSafeEqual } from 'node:crypto'
import type { BlockMac } from '#crypto/block-mac.ts'
import { blockMacBytes } from '#crypto/block-mac.ts'
import { rootBytes, rootTags, tagBytes } from './tag-layout.ts'

const magic = Buffer.from('keytags\x01', 'latin1')
const generationOffset = 8
const tagsOffset = 64
const macOffset = rootBytes - blockMacBytes

export const blockKind = { sector: 1, page: 2, root: 3 } as const

export interface TagRoot {
  readonly generation: number
  readonly tags: Buffer
  /** Of the whole block: two roots that share it are the same. */
  readonly mac: Buffer
  /** Which of the places it lies in. */
  readonly place: number
}

/** The block of a root. Its MAC is in the last bytes. */
export function encodeRoot(mac: BlockMac, generation: number, tags: Uint8Array): Buffer {
  const block = Buffer.alloc(rootBytes)
  magic.copy(block)
  block.writeBigUInt64LE(BigInt(generation), generationOffset)
  block.set(tags, tagsOffset)
  block.set(mac.tag({ kind: blockKind.root, level: 0, number: 0 }, block.subarray(0, macOffset)), macOffset)
  return block
}

export const macOfRoot = (block: Buffer): Buffer => Buffer.from(block.subarray(macOffset))

/** Null for what nobody with the key has written. */
export function decodeRoot(mac: BlockMac, block: Buffer, place: number): TagRoot | null {
  const computed = mac.tag({ kind: blockKind.root, level: 0, number: 0 }, block.subarray(0, macOffset))
  if (!timingSafeEqual(computed, block.subarray(macOffset))) return null
  if (!magic.equals(block.subarray(0, magic.length))) return null
  return {
    generation: Number(block.readBigUInt64LE(generationOffset)),
    tags: Buffer.from(block.subarray(tagsOffset, tagsOffset + rootTags * tagBytes)),
    mac: macOfRoot(block),
    place,
  }
}
