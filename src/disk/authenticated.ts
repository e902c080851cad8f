// Sectors that say when they were changed (docs/decisions/0020-sector-integrity.md): between the encryption, which it knows
// nothing of, and the file. What is read is held against the tags of the volume, and what does not fit is EIO. What is
// written stays in memory until a commit, which makes it the state of the volume in this order: the tags and their root are
// on the disk; the sectors are; the root is remembered outside the host's disks. Only then is a flush acknowledged. A crash
// in between leaves each sector as it was or as it was to be, and tag-recovery.ts finds out which.
//
// Whoever reads or writes sectors has a claim on them (aligned.ts), so nobody changes them meanwhile.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '#base/clock.ts'
import { sectorBytes } from '#base/limits.ts'
import type { BatchMemory } from './batch-memory.ts'
import { DeviceFault, Fenced } from './device.ts'
import type { BlockDevice, Extent } from './device.ts'
import { GroupCommit } from './group-commit.ts'
import { HeldSectors } from './held-sectors.ts'
import { commitBatch } from './tag-commit.ts'
import type { CommitParts } from './tag-commit.ts'
import { isEmpty, sectorsBelow, tagsPerPage, topLevel } from './tag-layout.ts'
import { fits, tagIn } from './tag-tree.ts'
import type { TagPage } from './tag-tree.ts'
import type { BatchSize } from './write-batch.ts'

export interface AuthenticatedParts extends CommitParts {
  readonly batch?: BatchSize
  readonly memory: BatchMemory
  readonly clock: Clock
  /** Told of bytes before they are taken; throws a DeviceFault when a commit might find no room for them. */
  takeRoom(byteCount: number): void
  /** Sectors, by number, that were not what was written; or were, and have been written anew. */
  onBad(sector: number): void
  onMended(sector: number): void
}

export interface AuthenticatedDevice extends BlockDevice {
  /** Destroys the key at once. Whatever is under way ends as Fenced; a second call does nothing. */
  wipe(): void
}

/** Two of them per volume at most: one that fills while the other is committed. */
const defaultBatch: BatchSize = { dataMax: 8192, sectorsMax: 16_384 }
/** What nobody has flushed is committed after this, so that a crash of the process costs no more. */
const commitMs = 3000
/** Pages of tags that one answer about extents looks at. */
const extentPages = 256

export const authenticated = (parts: AuthenticatedParts): AuthenticatedDevice => new Authenticated(parts)

class Authenticated implements AuthenticatedDevice {
  readonly sizeBytes: number
  readonly writesAtOnce = false
  readonly #parts: AuthenticatedParts
  readonly #commits: GroupCommit
  readonly #held: HeldSectors
  #hasFailed = false
  #isWiped = false
  #cancelCommit: (() => void) | null = null

  constructor(parts: AuthenticatedParts) {
    this.#parts = parts
    this.sizeBytes = parts.image.sizeBytes
    this.#held = new HeldSectors(parts.batch ?? defaultBatch, parts.memory)
    this.#commits = new GroupCommit(() => this.#commit())
  }

  readNow(target: Uint8Array, offset: number): boolean {
    this.#live()
    const { tree, image } = this.#parts
    const first = offset / sectorBytes
    const end = first + target.length / sectorBytes
    for (let page = pageOf(first); page <= pageOf(end - 1); page += 1) if (!tree.pageNow(0, page)) return false
    if (!image.readNow(target, offset)) return false
    for (let sector = first; sector < end; sector += 1) {
      const data = target.subarray((sector - first) * sectorBytes, (sector - first + 1) * sectorBytes)
      if (this.#held.has(sector)) fill(data, this.#held.data(sector))
      else this.#check(tree.pageNow(0, pageOf(sector)), sector, data)
    }
    return true
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    this.#live()
    const { tree, image } = this.#parts
    const first = offset / sectorBytes
    const end = first + target.length / sectorBytes
    // What is in memory now may be on the disk, and no longer in memory, by the time that the disk has answered.
    const held = this.#held.copy(first, end)
    await image.read(target, offset)
    for (let sector = first; sector < end; sector += 1) {
      const data = target.subarray((sector - first) * sectorBytes, (sector - first + 1) * sectorBytes)
      const ours = held.get(sector)
      if (ours !== undefined) fill(data, ours)
      else this.#check(tree.pageNow(0, pageOf(sector)) ?? (await this.#page(sector)), sector, data)
    }
  }

  writeNow(): boolean {
    return false
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    this.#mayWrite()
    this.#parts.takeRoom(source.length)
    const first = offset / sectorBytes
    for (let at = 0; at < source.length; at += sectorBytes) {
      const sector = first + at / sectorBytes
      // A page of tags that is lost is this write's fault, and not that of the flush of everybody.
      if ((at === 0 || sector % tagsPerPage === 0) && !this.#parts.tree.pageNow(0, pageOf(sector))) {
        await this.#page(sector)
      }
      if (!this.#held.filling.hasRoom()) await this.#makeRoom()
      this.#mayWrite()
      this.#held.filling.put(sector, source.subarray(at, at + sectorBytes))
    }
    this.#commitLater()
  }

  zero(offset: number, byteCount: number): Promise<void> {
    return this.trim(offset, byteCount)
  }

  async trim(offset: number, byteCount: number): Promise<void> {
    const end = (offset + byteCount) / sectorBytes
    for (let sector = offset / sectorBytes; sector < end; ) {
      const next = Math.min(end, sector + (await this.#emptySectors(sector)))
      // Where no sector has a tag there may still be some in memory.
      if (next > sector + tagsPerPage) {
        for (const one of this.#held.within(sector, next)) await this.#cut(one)
      } else {
        const pageEnd = Math.min(end, (pageOf(sector) + 1) * tagsPerPage)
        for (let one = sector; one < pageEnd; one += 1) {
          const page = this.#parts.tree.pageNow(0, pageOf(one)) ?? (await this.#page(one))
          if (this.#held.has(one) || !isEmpty(tagIn(page.bytes, one % tagsPerPage))) await this.#cut(one)
        }
      }
      sector = Math.max(next, Math.min(end, (pageOf(sector) + 1) * tagsPerPage))
      await nextTurn()
    }
    this.#commitLater()
  }

  async flush(): Promise<void> {
    this.#live()
    await this.#commits.commit()
  }

  /** By the tags: what the file system calls a hole may be one that somebody else has made. */
  async extents(offset: number, byteCount: number): Promise<readonly Extent[]> {
    this.#live()
    const extents: { byteCount: number; hole: boolean }[] = []
    const first = offset / sectorBytes
    const end = first + byteCount / sectorBytes
    let sector = first
    for (let pages = 0; sector < end && pages < extentPages; pages += 1) {
      const empty = await this.#emptySectors(sector)
      const stop = Math.min(end, empty > 0 ? sector + empty : (pageOf(sector) + 1) * tagsPerPage)
      const page = empty > 0 ? null : await this.#page(sector)
      const held = empty > 0 ? new Set(this.#held.within(sector, stop)) : null
      // Long holes are one step, unless something in memory lies in them.
      if (held?.size === 0) {
        append(extents, true, stop - sector)
        sector = stop
        continue
      }
      const near = Math.min(stop, (pageOf(sector) + 1) * tagsPerPage)
      for (; sector < near; sector += 1) {
        const isHole = this.#held.has(sector)
          ? this.#held.data(sector) === null
          : page === null || isEmpty(tagIn(page.bytes, sector % tagsPerPage))
        append(extents, isHole, 1)
      }
    }
    return extents
  }

  wipe(): void {
    if (this.#isWiped) return
    this.#isWiped = true
    this.#cancelCommit?.()
    this.#parts.mac[Symbol.dispose]()
  }

  async close(): Promise<void> {
    this.wipe()
    await this.#commits.settle()
    this.#held.drop()
    await Promise.all([this.#parts.image.close(), this.#parts.tags.close()])
  }

  #live(): void {
    if (this.#isWiped) throw new Fenced()
  }

  #mayWrite(): void {
    this.#live()
    if (this.#hasFailed) throw new DeviceFault('EIO', 'an earlier write was lost')
  }

  async #cut(sector: number): Promise<void> {
    if (!this.#held.filling.hasRoom()) await this.#makeRoom()
    this.#mayWrite()
    this.#held.filling.cut(sector)
  }

  /** Sectors from this one on below one tag that says that none of them was ever written; 0 when there is no such tag. */
  async #emptySectors(sector: number): Promise<number> {
    this.#live()
    const { tree } = this.#parts
    for (let level = topLevel; level >= 0; level -= 1) {
      const below = sectorsBelow(level + 1)
      const index = Math.floor(sector / below)
      if (isEmpty(await tree.tagOf(level, index))) return (index + 1) * below - sector
    }
    return 0
  }

  async #page(sector: number): Promise<TagPage> {
    try {
      const page = await this.#parts.tree.page(0, pageOf(sector))
      this.#live()
      return page
    } catch (error) {
      this.#live()
      if (error instanceof DeviceFault) this.#parts.onBad(sector)
      throw error
    }
  }

  #check(page: TagPage | null, sector: number, data: Uint8Array): void {
    this.#live()
    if (page && fits(this.#parts.mac, sector, data, tagIn(page.bytes, sector % tagsPerPage))) return
    this.#parts.onBad(sector)
    throw new DeviceFault('EIO', `sector ${sector} is not what was written`)
  }

  /** Waits only while the batch that is being filled has to wait for the one before it. */
  async #makeRoom(): Promise<void> {
    while (!this.#held.filling.hasRoom()) {
      this.#mayWrite()
      const committed = this.#commits.commit()
      committed.catch(() => undefined)
      if (!this.#held.filling.hasRoom()) await committed
    }
  }

  #commitLater(): void {
    this.#cancelCommit ??= this.#parts.clock.after(commitMs, () => {
      this.#cancelCommit = null
      // Whoever flushes hears of it; so does whoever writes.
      if (!this.#isWiped) this.#commits.commit().catch(() => undefined)
    })
  }

  async #commit(): Promise<void> {
    this.#cancelCommit?.()
    this.#cancelCommit = null
    const batch = this.#held.take()
    if (!batch) return
    const sectors = batch.sectors()
    try {
      await commitBatch(this.#parts, batch, sectors)
    } catch (error) {
      this.#hasFailed = true
      throw error
    }
    this.#held.letGo()
    for (const sector of sectors) this.#parts.onMended(sector)
  }
}

const pageOf = (sector: number): number => Math.floor(sector / tagsPerPage)

function fill(target: Uint8Array, data: Uint8Array | null): void {
  if (data) target.set(data)
  else target.fill(0)
}

function append(extents: { byteCount: number; hole: boolean }[], hole: boolean, sectorCount: number): void {
  const last = extents.at(-1)
  if (last?.hole === hole) last.byteCount += sectorCount * sectorBytes
  else extents.push({ byteCount: sectorCount * sectorBytes, hole })
}
