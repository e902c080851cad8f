// Where tags lie in `volume.tags` (docs/formats.md, "Tags of a volume"). Tags of 256 sectors make a page, tags of 256 pages
// a page of the next level, and the root holds those of the highest. Everything has three places, so that neither what
// counts nor what counted before is ever written over. Pure.

import { sectorBytes } from '#base/limits.ts'

export const tagBytes = 16
export const pageBytes = 4096
export const tagsPerPage = pageBytes / tagBytes
export const rootBytes = 8192
/** 64 GiB each: 31.5 TiB. */
export const rootTags = 504
/** Of the pages below the root; level 0 holds the tags of sectors. */
export const topLevel = 2
/** Of every page, and of the root. */
export const places = 3

/** Pages from the first of a page to the last below it, by level. */
const spans = [1, 1 + tagsPerPage, 1 + tagsPerPage * (1 + tagsPerPage)] as const
const spanOf = (level: number): number => spans[level] ?? 1

/** Pages follow each other as a walk from the top meets them: neighbours are near, and a volume that grows appends. */
function ordinalOf(level: number, index: number): number {
  if (level === topLevel) return index * spanOf(topLevel)
  const parent = ordinalOf(level + 1, Math.floor(index / tagsPerPage))
  return parent + 1 + (index % tagsPerPage) * spanOf(level)
}

/** Of the three places of a page, which follow each other. */
export const pageOffset = (level: number, index: number): number =>
  places * rootBytes + ordinalOf(level, index) * places * pageBytes

export const rootOffset = (place: number): number => place * rootBytes

/** Sectors whose tags lie below one tag of a page of the level, or of the root. */
export const sectorsBelow = (level: number): number => tagsPerPage ** level

export function tagFileBytes(volumeBytes: number): number {
  const lastSector = Math.max(0, Math.ceil(volumeBytes / sectorBytes) - 1)
  return pageOffset(0, Math.floor(lastSector / tagsPerPage)) + places * pageBytes
}

/** What was never written has a tag of zeros, sectors as well as pages. */
export const emptyTag: Uint8Array = new Uint8Array(tagBytes)
const zeros = Buffer.alloc(tagBytes)
export const isEmpty = (tag: Uint8Array): boolean => zeros.equals(tag)
