// The tags of a volume's sectors as they are at one moment, checked down from the root: a page is believed when its tag in
// the page above it is right. A bounded number of pages is in memory. Changes happen there at once, and are written when
// that is asked for: each changed page to the place after the one it was read from, and a root of the next generation at
// last. What was there before stays whole until the next but one.

import { timingSafeEqual } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { assert } from '#base/assert.ts'
import { sectorBytes } from '#base/limits.ts'
import type { BlockMac } from '#crypto/block-mac.ts'
import { DeviceFault } from './device.ts'
import type { BlockDevice } from './device.ts'
import { isEmpty, pageBytes, pageOffset, places, rootOffset, tagBytes, tagsPerPage, topLevel } from './tag-layout.ts'
import { blockKind, encodeRoot, macOfRoot } from './tag-root.ts'
import type { TagRoot } from './tag-root.ts'

/** A page does not fit the root: it was changed, exchanged or put back. */
export class TagPageLost extends DeviceFault {
  constructor(level: number, index: number) {
    super('EIO', `page ${index} of level ${level} of the tags is not what was written`)
  }
}

export interface TagPage {
  readonly level: number
  readonly index: number
  readonly bytes: Buffer
  /** Where it lies on the disk, unless it has changed. */
  place: number
  isChanged: boolean
}

export interface TagTreeParts {
  /** The file of the tags. */
  readonly store: BlockDevice
  readonly mac: BlockMac
  readonly root: TagRoot
  /** Pages in memory besides those that have changed. More than are asked for at the same time. */
  readonly pagesMax: number
}

/** Pages that are written before others have their turn. */
const turnPages = 64

export class TagTree {
  readonly #store: BlockDevice
  readonly #mac: BlockMac
  readonly #pagesMax: number
  /** Those used last are last. */
  readonly #pages = new Map<number, TagPage>()
  readonly #loading = new Map<number, Promise<TagPage>>()
  readonly #changed = new Set<TagPage>()
  #root: TagRoot

  constructor({ store, mac, root, pagesMax }: TagTreeParts) {
    this.#store = store
    this.#mac = mac
    this.#root = { ...root, tags: Buffer.from(root.tags) }
    this.#pagesMax = pagesMax
  }

  /** As it was written last. Its tags change with the tree. */
  get root(): TagRoot {
    return this.#root
  }

  /** A page that is in memory. */
  pageNow(level: number, index: number): TagPage | null {
    const name = nameOf(level, index)
    const page = this.#pages.get(name)
    if (!page) return null
    this.#pages.delete(name)
    this.#pages.set(name, page)
    return page
  }

  async page(level: number, index: number): Promise<TagPage> {
    const page = this.pageNow(level, index)
    if (page) return page
    const name = nameOf(level, index)
    let loading = this.#loading.get(name)
    if (!loading) {
      loading = this.#load(level, index).finally(() => this.#loading.delete(name))
      this.#loading.set(name, loading)
    }
    return loading
  }

  /** The tag of a page, or of a sector at level -1: in the page above it, or in the root. */
  async tagOf(level: number, index: number): Promise<Buffer> {
    if (level === topLevel) return tagIn(this.#root.tags, index)
    const above = await this.page(level + 1, Math.floor(index / tagsPerPage))
    return tagIn(above.bytes, index % tagsPerPage)
  }

  /** In the same turn as the page was had: one that is merely read may leave the memory. */
  change(page: TagPage, at: number, tag: Uint8Array): void {
    assert(this.#pages.get(nameOf(page.level, page.index)) === page, 'a page that changes is in memory')
    page.bytes.set(tag, at * tagBytes)
    page.isChanged = true
    this.#changed.add(page)
  }

  /** Writes what has changed, and the root of the next generation, which counts when all of it is on the disk. */
  async write(): Promise<TagRoot> {
    let written = 0
    for (let level = 0; level <= topLevel; level += 1) {
      for (const page of [...this.#changed].filter((one) => one.level === level)) {
        await this.#writePage(page)
        if ((written += 1) % turnPages === 0) await nextTurn()
      }
    }
    const generation = this.#root.generation + 1
    const place = (this.#root.place + 1) % places
    const block = encodeRoot(this.#mac, generation, this.#root.tags)
    await this.#store.write(block, rootOffset(place))
    this.#root = { generation, tags: this.#root.tags, mac: macOfRoot(block), place }
    this.#evict()
    return this.#root
  }

  async #writePage(page: TagPage): Promise<void> {
    const { level, index, bytes } = page
    const above = level === topLevel ? null : await this.page(level + 1, Math.floor(index / tagsPerPage))
    const place = (page.place + 1) % places
    const tag = this.#tag(level, index, bytes)
    if (above) this.change(above, index % tagsPerPage, tag)
    else this.#root.tags.set(tag, index * tagBytes)
    await this.#store.write(bytes, pageOffset(level, index) + place * pageBytes)
    page.place = place
    page.isChanged = false
    this.#changed.delete(page)
  }

  async #load(level: number, index: number): Promise<TagPage> {
    const tag = await this.tagOf(level, index)
    // Nothing was ever written below it, and what lies there is nobody's.
    const page = isEmpty(tag)
      ? { level, index, bytes: Buffer.alloc(pageBytes), place: places - 1, isChanged: false }
      : await this.#read(level, index, Buffer.from(tag))
    this.#pages.set(nameOf(level, index), page)
    this.#evict()
    return page
  }

  async #read(level: number, index: number, tag: Buffer): Promise<TagPage> {
    const copies = Buffer.allocUnsafe(places * pageBytes)
    const offset = pageOffset(level, index)
    if (!this.#store.readNow(copies, offset)) await this.#store.read(copies, offset)
    for (let place = 0; place < places; place += 1) {
      const bytes = copies.subarray(place * pageBytes, (place + 1) * pageBytes)
      if (!timingSafeEqual(this.#tag(level, index, bytes), tag)) continue
      return { level, index, bytes: Buffer.from(bytes), place, isChanged: false }
    }
    throw new TagPageLost(level, index)
  }

  #tag(level: number, index: number, bytes: Buffer): Uint8Array {
    return this.#mac.tag({ kind: blockKind.page, level, number: index }, bytes).subarray(0, tagBytes)
  }

  #evict(): void {
    let tooMany = this.#pages.size - this.#changed.size - this.#pagesMax
    for (const [name, page] of this.#pages) {
      if (tooMany <= 0) return
      if (page.isChanged) continue
      this.#pages.delete(name)
      tooMany -= 1
    }
  }
}

const nameOf = (level: number, index: number): number => level * 2 ** 40 + index

/** docs/formats.md, "Tags of a volume". Sixteen bytes that the next call overwrites. */
export const tagOfSector = (mac: BlockMac, sector: number, data: Uint8Array): Uint8Array =>
  mac.tag({ kind: blockKind.sector, level: 0, number: sector }, data).subarray(0, tagBytes)

const zeroSector = Buffer.alloc(sectorBytes)

/** A sector without a tag was never written, or cut out, and is nothing but zeros. */
export const fits = (mac: BlockMac, sector: number, data: Uint8Array, tag: Uint8Array): boolean =>
  isEmpty(tag) ? zeroSector.equals(data) : timingSafeEqual(tagOfSector(mac, sector, data), tag)

export const tagIn = (tags: Buffer, at: number): Buffer => tags.subarray(at * tagBytes, (at + 1) * tagBytes)
