// A volume's tags from their making to their opening: the file beside the image, the key of the tags, and what is remembered
// of them where this host's disks do not reach.

import { hkdfSync } from 'node:crypto'
import { open } from 'node:fs/promises'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { sectorBytes, tagPagesMax } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import { blockMacKeyBytes, makeBlockMac } from '#crypto/block-mac.ts'
import type { BlockMac } from '#crypto/block-mac.ts'
import { lengthPrefixed, utf8 } from '#crypto/length-prefixed.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { authenticated } from './authenticated.ts'
import type { AuthenticatedDevice } from './authenticated.ts'
import type { BatchMemory } from './batch-memory.ts'
import { BadSectorList } from './bad-sectors.ts'
import { DeviceFault, Fenced } from './device.ts'
import { fileMode, tagsPath } from './folders.ts'
import { openImageFile } from './image-file.ts'
import type { ImageFile } from './image-file.ts'
import type { IntegrityBook, TagState } from './port.ts'
import { keepRoom, roomBytes } from './room.ts'
import type { CommitParts } from './tag-commit.ts'
import { rootTags, tagBytes, tagFileBytes, tagsPerPage } from './tag-layout.ts'
import { encodeRoot, macOfRoot } from './tag-root.ts'
import type { TagRoot } from './tag-root.ts'
import { isRemembered, recover, TagsLost } from './tag-recovery.ts'
import { TagTree } from './tag-tree.ts'

/** Writes end so much earlier than commits do. */
const commitRoomBytes = 64 * 1024 * 1024

/** docs/formats.md, "Tags of a volume": of the volume key and the volume, so that no other volume's tags are of use. */
export function tagMac(volumeKey: SecretBytes, volumeId: string): BlockMac {
  const info = lengthPrefixed([utf8('keyward sector tags v1'), utf8(volumeId)])
  using key = volumeKey.use((bytes) =>
    SecretBytes.own(new Uint8Array(hkdfSync('sha256', bytes, '', info, blockMacKeyBytes))),
  )
  return untilFenced(makeBlockMac(key))
}

/** Work that goes on after the key has gone ends as Fenced. */
function untilFenced(mac: BlockMac): BlockMac {
  let hasEnded = false
  return {
    tag(place, block) {
      if (hasEnded) throw new Fenced()
      return mac.tag(place, block)
    },
    [Symbol.dispose]() {
      if (hasEnded) return
      hasEnded = true
      mac[Symbol.dispose]()
    },
  }
}

/** Makes the file of tags of a volume in which nothing was written. It is not the volume's before it is remembered. */
export async function createTags(path: string, mac: BlockMac): Promise<TagState> {
  const block = encodeRoot(mac, 1, new Uint8Array(rootTags * tagBytes))
  const file = await open(path, 'w', fileMode)
  try {
    await file.write(block, 0, block.length, 0)
    await file.sync()
  } finally {
    await file.close()
  }
  return { generation: 1, mac: new Uint8Array(macOfRoot(block)) }
}

export interface TagsParts {
  readonly batches: BatchMemory
  readonly dataFolder: string
  readonly volumeId: string
  /** The image, which is the device's from then on, and closed here where nothing comes of it. */
  readonly image: ImageFile
  /** Ends with the device, or here. */
  readonly mac: BlockMac
  readonly book: IntegrityBook
  readonly clock: Clock
  readonly log: Log
}

/** Rejects with a Fault for a client to read when the volume is not as it was left. */
export async function openAuthenticated(parts: TagsParts): Promise<AuthenticatedDevice> {
  const { dataFolder, volumeId, image, mac, book, log } = parts
  let tags: ImageFile | null = null
  try {
    const known = await book.remembered(volumeId)
    const path = tagsPath(dataFolder, volumeId)
    tags = openImageFile({ path, dataOffsetBytes: 0, sizeBytes: tagFileBytes(image.sizeBytes), sectorBytes })
    if (!known) throw new TagsLost()
    const remember = (root: TagRoot): Promise<void> => remembered(book, volumeId, root)
    const tree = await settledTree({ image, tags, mac, remembered: known.state, remember })
    if (known.bad.isLost) await book.noteBad(volumeId, { ...known.bad, isLost: false })
    const bad = new BadSectorList(known.bad, (now) => book.noteBad(volumeId, now), log.child({ volumeId }))
    return authenticated({
      image,
      tags,
      tree,
      mac,
      remember,
      memory: parts.batches,
      clock: parts.clock,
      takeRoom: keepRoom(image.fd, (fd) => roomBytes(fd) - commitRoomBytes),
      onBad: (sector) => bad.add(sector),
      onMended: (sector) => bad.mend(sector),
    })
  } catch (error) {
    mac[Symbol.dispose]()
    await Promise.all([image.close(), tags?.close()])
    throw await lostOr(error, parts)
  }
}

/** Where the control plane cannot say that it has it, a flush has failed like one of the disk's. */
async function remembered(book: IntegrityBook, volumeId: string, root: TagRoot): Promise<void> {
  try {
    await book.remember(volumeId, stateOf(root))
  } catch (cause) {
    throw new DeviceFault('EIO', 'the state of the volume could not be remembered', cause)
  }
}

async function lostOr(error: unknown, { volumeId, book, log }: TagsParts): Promise<unknown> {
  const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
  if (!(error instanceof TagsLost) && !isMissing) return error
  log.error({ err: error, volumeId }, 'a volume is not as it was left')
  await book.noteBad(volumeId, { sectors: [], hasMore: false, isLost: true })
  const message = `volume ${volumeId} is not as it was left: it was put back to an earlier state, or its tags are lost`
  return new Fault('conflict', message, { cause: error })
}

export interface SettleParts extends Omit<CommitParts, 'tree'> {
  readonly remembered: TagState
}

/** The tree that counts. What a crash has left open is settled, and remembered, so that it is the same from now on. */
export async function settledTree({ image, tags, mac, remembered, remember }: SettleParts): Promise<TagTree> {
  const { root, earlier } = await recover({ image, tags, mac, remembered })
  const tree = new TagTree({ store: tags, mac, root, pagesMax: tagPagesMax })
  if (isRemembered(root, remembered)) return tree
  for (const [sector, tag] of earlier) {
    tree.change(await tree.page(0, Math.floor(sector / tagsPerPage)), sector % tagsPerPage, tag)
  }
  await image.flush()
  const settled = await tree.write()
  await tags.flush()
  await remember(settled)
  return tree
}

export const stateOf = ({ generation, mac }: TagRoot): TagState => ({ generation, mac: new Uint8Array(mac) })
