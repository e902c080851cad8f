// A commit: sectors in memory become the state of a volume, in the order that keeps every sector either as it was or as it
// is to be, whenever the power is cut (docs/decisions/0020-sector-integrity.md).

import { setImmediate as nextTurn } from 'node:timers/promises'
import { sectorBytes } from '#base/limits.ts'
import type { BlockMac } from '#crypto/block-mac.ts'
import type { BlockDevice } from './device.ts'
import { emptyTag, tagsPerPage } from './tag-layout.ts'
import type { TagRoot } from './tag-root.ts'
import { tagOfSector } from './tag-tree.ts'
import type { TagTree } from './tag-tree.ts'
import type { WriteBatch } from './write-batch.ts'

export interface CommitParts {
  /** The data area of the image. */
  readonly image: BlockDevice
  /** The file of the tags. */
  readonly tags: BlockDevice
  readonly tree: TagTree
  /** The tree's too. Ends with the device, and then says Fenced to whoever still works with it. */
  readonly mac: BlockMac
  /** Fulfilled when the root is remembered where whoever writes to the disks of this host cannot reach it. */
  remember(root: TagRoot): Promise<void>
}

/** Sectors that are tagged before others have their turn. */
const turnSectors = 256

export async function commitBatch(parts: CommitParts, batch: WriteBatch, sectors: readonly number[]): Promise<void> {
  const { tree, tags, image, remember } = parts
  await tagBatch(parts, batch, sectors)
  const root = await tree.write()
  await tags.flush()
  for (const { firstSector, sectorCount, data } of batch.runs(sectors)) {
    const offset = firstSector * sectorBytes
    if (data) await image.write(data, offset)
    else await image.trim(offset, sectorCount * sectorBytes)
    await nextTurn()
  }
  await image.flush()
  await remember(root)
}

async function tagBatch({ tree, mac }: CommitParts, batch: WriteBatch, sectors: readonly number[]): Promise<void> {
  for (const [at, sector] of sectors.entries()) {
    if (at > 0 && at % turnSectors === 0) await nextTurn()
    const index = Math.floor(sector / tagsPerPage)
    const page = tree.pageNow(0, index) ?? (await tree.page(0, index))
    const data = batch.data(sector)
    tree.change(page, sector % tagsPerPage, data ? tagOfSector(mac, sector, data) : emptyTag)
  }
}
