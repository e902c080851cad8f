// An authenticated volume over two files in memory: what lies on its disk can be looked at, changed and put back, and what
// reaches it is written down in order, for power cuts.

import { randomBytes } from 'node:crypto'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeSectorCipher } from '#crypto/sector-cipher.ts'
import { aligned } from '../aligned.ts'
import { authenticated } from '../authenticated.ts'
import { BatchMemory } from '../batch-memory.ts'
import { checked } from '../checked.ts'
import type { BlockDevice } from '../device.ts'
import { encrypted } from '../encrypted.ts'
import type { TagState } from '../port.ts'
import { places, rootBytes, rootTags, tagBytes, tagFileBytes } from '../tag-layout.ts'
import { encodeRoot, macOfRoot } from '../tag-root.ts'
import { settledTree, stateOf, tagMac } from '../volume-tags.ts'
import { memoryDevice } from './memory-device.ts'
import type { Entry } from './power-cut.ts'

export const sectorBytes = 4096
export const volumeId = 'r006-authenticated'
const key = randomBytes(64)
/** Small, so that commits come unasked too. */
const memory = new BatchMemory()
const batch = { dataMax: 24, sectorsMax: 60 }

export const fileNames = ['image', 'tags'] as const
export type FileName = (typeof fileNames)[number]

export interface DiskState {
  readonly files: Readonly<Record<FileName, Uint8Array>>
  readonly remembered: TagState
}

export type DiskEvent =
  | { readonly file: FileName; readonly entry: Entry }
  | { readonly file: null; readonly remembered: TagState }

export interface AuthenticatedDisk {
  readonly device: BlockDevice
  readonly files: Readonly<Record<FileName, Uint8Array>>
  remembered(): TagState
  /** Sectors that were found bad, in order, and those that were mended. */
  readonly bad: number[]
  readonly mended: number[]
  copy(): DiskState
}

const mac = () => tagMac(SecretBytes.own(new Uint8Array(key)), volumeId)

/** A volume in which nothing was written. */
export function blankDisk(sizeBytes: number): DiskState {
  const block = encodeRoot(mac(), 1, new Uint8Array(rootTags * tagBytes))
  const tags = new Uint8Array(tagFileBytes(sizeBytes))
  tags.set(block, 0)
  return { files: { image: new Uint8Array(sizeBytes), tags }, remembered: { generation: 1, mac: macOfRoot(block) } }
}

/** Opens a copy of the state. Rejects as opening a volume does. */
export async function openDisk(state: DiskState, log: DiskEvent[] = []): Promise<AuthenticatedDisk> {
  let { remembered } = state
  const [image, tags] = fileNames.map((file) => recorded(file, state.files[file], log))
  if (!image || !tags) throw new Error('two files')
  const remember = async (root: Parameters<typeof stateOf>[0]): Promise<void> => {
    if (root.generation <= remembered.generation) throw new Error('the book never goes back')
    remembered = stateOf(root)
    log.push({ file: null, remembered })
  }
  const key1 = mac()
  const parts = { image: image.device, tags: tags.device, mac: key1, remember }
  const tree = await settledTree({ ...parts, remembered })
  const [bad, mended]: [number[], number[]] = [[], []]
  const store = authenticated({
    ...parts,
    tree,
    batch,
    memory,
    clock: { now: Date.now, monotonicMs: () => 0, after: () => () => undefined },
    takeRoom: () => undefined,
    onBad: (sector) => void bad.push(sector),
    onMended: (sector) => void mended.push(sector),
  })
  const cipher = makeSectorCipher(SecretBytes.own(new Uint8Array(key)), sectorBytes)
  const layers = encrypted(checked(store, sectorBytes), cipher)
  const files = { image: image.bytes, tags: tags.bytes }
  return {
    device: aligned(checked(layers, sectorBytes), sectorBytes),
    files,
    remembered: () => remembered,
    bad,
    mended,
    copy: () => ({ files: { image: files.image.slice(), tags: files.tags.slice() }, remembered }),
  }
}

function recorded(file: FileName, content: Uint8Array, log: DiskEvent[]) {
  const memory = memoryDevice({ sizeBytes: content.length })
  memory.bytes.set(content)
  const device: BlockDevice = {
    ...memory,
    write(source, offset) {
      log.push({ file, entry: { kind: 'write', offset, bytes: Buffer.from(source) } })
      return memory.write(source, offset)
    },
    trim(offset, byteCount) {
      log.push({ file, entry: { kind: 'punch', offset, byteCount } })
      return memory.trim(offset, byteCount)
    },
    async flush() {
      await memory.flush()
      log.push({ file, entry: { kind: 'flush' } })
    },
  }
  return { device: checked(device, sectorBytes), bytes: memory.bytes }
}

/** Where the three roots lie. */
export const rootsBytes = places * rootBytes
