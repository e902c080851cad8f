// Which of the roots in a file of tags counts, and what a crash has made of the sectors below it. Pure reading.
//
// A root counts if it is the one that is remembered, or a later one: later ones were never acknowledged, and a disk may have
// them or not. An earlier one, or another of the same generation, is a volume that somebody has put back. Where the root
// that counts was never acknowledged, each sector that it changed may be as it was before: its tag is then the earlier one.

import type { BlockMac } from '#crypto/block-mac.ts'
import { sectorBytes } from '#base/limits.ts'
import { DeviceFault } from './device.ts'
import type { BlockDevice } from './device.ts'
import type { TagState } from './port.ts'
import { places, rootBytes, rootOffset, rootTags, tagsPerPage, topLevel } from './tag-layout.ts'
import { decodeRoot } from './tag-root.ts'
import type { TagRoot } from './tag-root.ts'
import { fits, TagPageLost, tagIn, TagTree } from './tag-tree.ts'

export interface RecoveryParts {
  readonly image: BlockDevice
  readonly tags: BlockDevice
  readonly mac: BlockMac
  readonly remembered: TagState
}

export interface Recovered {
  readonly root: TagRoot
  /** Tags of the sectors that are as they were under the root before. */
  readonly earlier: ReadonlyMap<number, Uint8Array>
}

/** No root that counts: the volume was put back, or its tags were destroyed. */
export class TagsLost extends DeviceFault {
  constructor() {
    super('EIO', 'the volume is not as it was left: it was put back to an earlier state, or its tags were destroyed')
  }
}

/** Pages of one tree in memory while two are compared. */
const pagesMax = 512

export async function recover(parts: RecoveryParts): Promise<Recovered> {
  const roots = await countingRoots(parts)
  for (const [at, root] of roots.entries()) {
    const before = roots[at + 1]
    if (isRemembered(root, parts.remembered) || !before) return { root, earlier: new Map() }
    try {
      return { root, earlier: await earlierTags(parts, root, before) }
    } catch (error) {
      // Not all of this root's pages are there, so no sector was written under it.
      if (!(error instanceof TagPageLost)) throw error
    }
  }
  throw new TagsLost()
}

export const isRemembered = (root: TagRoot, { generation, mac }: TagState): boolean =>
  root.generation === generation && root.mac.equals(mac)

/** The latest first. */
async function countingRoots({ tags, mac, remembered }: RecoveryParts): Promise<TagRoot[]> {
  const roots: TagRoot[] = []
  for (let place = 0; place < places; place += 1) {
    const block = Buffer.alloc(rootBytes)
    await tags.read(block, rootOffset(place))
    const root = decodeRoot(mac, block, place)
    if (root && (root.generation > remembered.generation || isRemembered(root, remembered))) roots.push(root)
  }
  return roots.sort((a, b) => b.generation - a.generation)
}

async function earlierTags(parts: RecoveryParts, root: TagRoot, before: TagRoot): Promise<Map<number, Uint8Array>> {
  const { tags: store, mac, image } = parts
  const trees = [root, before].map((one) => new TagTree({ store, mac, root: one, pagesMax }))
  const [now, then] = trees
  const earlier = new Map<number, Uint8Array>()
  if (!now || !then) return earlier
  const data = Buffer.alloc(sectorBytes)
  for await (const change of changes(now, then)) {
    await image.read(data, change.sector * sectorBytes)
    if (!fits(mac, change.sector, data, change.now) && fits(mac, change.sector, data, change.earlier)) {
      earlier.set(change.sector, change.earlier)
    }
  }
  return earlier
}

interface Change {
  readonly sector: number
  readonly now: Uint8Array
  readonly earlier: Uint8Array
}

/** Sectors whose tags differ. Looks only at pages that do. */
async function* changes(now: TagTree, then: TagTree): AsyncGenerator<Change> {
  for (let index = 0; index < rootTags; index += 1) {
    if (!tagIn(now.root.tags, index).equals(tagIn(then.root.tags, index))) yield* below(now, then, topLevel, index)
  }
}

async function* below(now: TagTree, then: TagTree, level: number, index: number): AsyncGenerator<Change> {
  const [a, b] = [Buffer.from((await now.page(level, index)).bytes), Buffer.from((await then.page(level, index)).bytes)]
  for (let at = 0; at < tagsPerPage; at += 1) {
    const [tag, before] = [tagIn(a, at), tagIn(b, at)]
    if (tag.equals(before)) continue
    const number = index * tagsPerPage + at
    if (level === 0) yield { sector: number, now: tag, earlier: before }
    else yield* below(now, then, level - 1, number)
  }
}
