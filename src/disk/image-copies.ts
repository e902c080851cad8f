// Images that are made from others: snapshots of volumes that go on being written, and volumes from snapshots. A copy has a
// data key of its own, so its header is made anew. Its sectors stay as they are, under the same volume key, unless they
// are to be encrypted again. A copy is made while the leases of both keys last, and is given up when one ends.

import { open } from 'node:fs/promises'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { sectorBytes } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { volumeKeyBytes } from '#crypto/xts-engine.ts'
import { copyPieceBytes, copyStored, storedBytesOf, storedPieces, writerOf } from './copy-stored.ts'
import type { SectorChange } from './copy-stored.ts'
import { volumeKeyIn, withDataKey, withPassphrase } from './copy-keys.ts'
import type { CopyRun } from './copy-run.ts'
import type { CopyRuns } from './copy-runs.ts'
import { fileMode, imagePath, stagedPath } from './folders.ts'
import { encryptFile } from './image-import.ts'
import { openImageFor, openImageSource } from './image-source.ts'
import type { ImageSource } from './image-source.ts'
import { finishImage, hasImage, makeHeader, makeImage, readImageHeader } from './image.ts'
import type { LeaseBook } from './leases.ts'
import { reflink } from './live-copy.ts'
import { anyMoment, momentOf } from './moments.ts'
import type { Moment, MomentsPort } from './moments.ts'
import type { ImageDescription, ImportSpec, SnapshotTaken, VolumeSpec } from './port.ts'
import { withReencryption } from './reencryption.ts'
import { Turns } from '#base/turns.ts'
import type { Volumes } from './volumes.ts'

export interface ImageCopiesParts {
  readonly dataFolder: string
  readonly volumes: Volumes
  readonly leases: LeaseBook
  readonly moments: MomentsPort
  readonly runs: CopyRuns
  /** Of images by their ids, together with whoever else makes or removes them. */
  readonly turns: Turns
  readonly clock: Clock
  readonly random: Random
}

/** Both ciphers work on so much before anything else has its turn. */
const reencryptPieceBytes = 256 * 1024

export class ImageCopies {
  readonly #parts: ImageCopiesParts
  /** One copy at a time of one volume that is written, and one re-encryption at a time at all. */
  readonly #queues = new Turns()

  constructor(parts: ImageCopiesParts) {
    this.#parts = parts
  }

  /** See DiskProcessPort. */
  async createSnapshot(source: VolumeSpec, snapshot: VolumeSpec, momentId?: string): Promise<SnapshotTaken> {
    requireNoTags(source, snapshot)
    requireRoom(snapshot, source.capacityBytes)
    const moment = momentId === undefined ? anyMoment : momentOf(this.#parts, momentId)
    await this.#make(snapshot.volumeId, (run) => this.#takeSnapshot(source, snapshot, run, moment))
    return { storedBytes: (await this.describe(snapshot.volumeId))?.storedBytes ?? 0 }
  }

  /** See DiskPort. */
  createVolumeFrom(volume: VolumeSpec, source: VolumeSpec, { reencrypt }: { readonly reencrypt: boolean }) {
    return this.#make(volume.volumeId, async (run) => {
      const { dataFolder, volumes, clock } = this.#parts
      requireNoTags(source, volume)
      // Of two images that wait for each other's turn, one would have to be there already.
      await readImageHeader(dataFolder, source.volumeId)
      await volumes.closeIfUnused(source.volumeId)
      const image = await openImageSource(dataFolder, source.volumeId, clock)
      try {
        requireRoom(volume, image.sizeBytes)
        await this.#withKeys({ source, copy: volume }, run, (keys) =>
          reencrypt ? this.#reencrypt(image, volume, keys, run) : this.#copy(image, volume, keys, run),
        )
      } finally {
        await image.close()
      }
    })
  }

  /** See DiskProcessPort. */
  importStaged(image: VolumeSpec, wanted: ImportSpec): Promise<void> {
    const { dataFolder, random, leases } = this.#parts
    return this.#make(image.volumeId, (run) =>
      withDataKey(leases, image, run, async (dataKey) => {
        using volumeKey = SecretBytes.random(random, volumeKeyBytes)
        run.endWith(volumeKey)
        const header = this.#header(image, dataKey, volumeKey)
        await withPassphrase(leases, image, wanted.wrappedPassphrase, run, (passphrase) =>
          makeImage(dataFolder, image.volumeId, async (path) => {
            const source = stagedPath(dataFolder, image.volumeId)
            const capacityBytes = await encryptFile({ source, path, volumeKey, passphrase }, wanted, run)
            await this.#finish(path, header, { ...image, capacityBytes }, run)
          }),
        )
      }),
    )
  }

  /** See DiskPort. */
  async describe(imageId: string): Promise<ImageDescription | null> {
    if (!(await hasImage(this.#parts.dataFolder, imageId))) return null
    const image = openImageFor(imagePath(this.#parts.dataFolder, imageId), imageId)
    try {
      return { capacityBytes: image.sizeBytes, storedBytes: await storedBytesOf(image) }
    } finally {
      await image.close()
    }
  }

  #make(imageId: string, work: (run: CopyRun) => Promise<void>): Promise<void> {
    const { dataFolder, turns, runs } = this.#parts
    const made = turns.take(imageId, async () => {
      if (!(await hasImage(dataFolder, imageId))) await runs.run(imageId, work)
    })
    return runs.track(made)
  }

  async #takeSnapshot(source: VolumeSpec, snapshot: VolumeSpec, run: CopyRun, moment: Moment): Promise<void> {
    const { dataFolder, volumes } = this.#parts
    await this.#withKeys({ source, copy: snapshot }, run, async ({ volumeKey, dataKey, sourceHeader }) => {
      const header = this.#header(snapshot, dataKey, volumeKey)
      const ended = new Fault('conflict', `volume ${source.volumeId} stopped while its snapshot was being made`)
      const use = await volumes.use(source, () => run.abort(ended))
      try {
        await makeImage(dataFolder, snapshot.volumeId, async (path) => {
          if (!(await use.liveCopy.clone(path, moment))) {
            await this.#copyLive(source.volumeId, path, run, (fd) => use.liveCopy.copy(fd, run, moment))
          }
          await requireHeader(dataFolder, source.volumeId, sourceHeader)
          await this.#finish(path, header, snapshot, run)
        })
      } finally {
        use.release()
      }
    })
  }

  #copyLive(sourceId: string, path: string, run: CopyRun, copy: (fd: number) => Promise<void>): Promise<void> {
    return this.#queues.take(`live ${sourceId}`, async () => {
      const file = await open(path, 'wx', fileMode)
      try {
        run.check()
        await copy(file.fd)
      } finally {
        await file.close()
      }
    })
  }

  async #copy(image: ImageSource, volume: VolumeSpec, { dataKey, volumeKey }: Keys, run: CopyRun): Promise<void> {
    const header = this.#header(volume, dataKey, volumeKey)
    await makeImage(this.#parts.dataFolder, volume.volumeId, async (path) => {
      if (!(await reflink(image.path, path))) await copyPieces(image, path, run, { pieceBytes: copyPieceBytes })
      await this.#finish(path, header, volume, run)
    })
  }

  async #reencrypt(image: ImageSource, volume: VolumeSpec, keys: Keys, run: CopyRun): Promise<void> {
    const { dataFolder, random } = this.#parts
    using fresh = SecretBytes.random(random, volumeKeyBytes)
    run.endWith(fresh)
    const header = this.#header(volume, keys.dataKey, fresh)
    await withReencryption({ from: keys.volumeKey, to: fresh }, run, (change) =>
      makeImage(dataFolder, volume.volumeId, async (path) => {
        await this.#queues.take('re-encryption', () =>
          copyPieces(image, path, run, { pieceBytes: reencryptPieceBytes, change }),
        )
        await this.#finish(path, header, volume, run)
      }),
    )
  }

  #header({ volumeId }: VolumeSpec, dataKey: SecretBytes, volumeKey: SecretBytes): Uint8Array {
    return makeHeader({ volumeId, dataKey, volumeKey, random: this.#parts.random })
  }

  async #finish(path: string, header: Uint8Array, { capacityBytes }: VolumeSpec, run: CopyRun): Promise<void> {
    run.check()
    await finishImage(path, header, capacityBytes)
    // Under a lease that has ended meanwhile, nothing comes into being.
    run.check()
  }

  /** Leases both keys for as long as `work` takes. It uses what it is given before it first waits. */
  async #withKeys(of: { source: VolumeSpec; copy: VolumeSpec }, run: CopyRun, work: (keys: Keys) => Promise<void>) {
    const { dataFolder } = this.#parts
    const header = await readImageHeader(dataFolder, of.source.volumeId)
    await withDataKey(this.#parts.leases, of.copy, run, (dataKey) =>
      withDataKey(this.#parts.leases, of.source, run, async (sourceKey) => {
        run.check()
        using volumeKey = volumeKeyIn(header, sourceKey)
        run.endWith(volumeKey)
        await work({ dataKey, volumeKey, sourceHeader: header.subarray(0, sectorBytes) })
      }),
    )
  }
}

interface Keys {
  /** Of the copy. */
  readonly dataKey: SecretBytes
  /** Of the source. */
  readonly volumeKey: SecretBytes
  /** Its beginning, which tells this header from any other. */
  readonly sourceHeader: Uint8Array
}

interface PieceOptions {
  readonly pieceBytes: number
  readonly change?: SectorChange
}

/** The data of an image that nobody writes. */
async function copyPieces(image: ImageSource, path: string, run: CopyRun, { pieceBytes, change }: PieceOptions) {
  run.expect(await storedBytesOf(image))
  const file = await open(path, 'wx', fileMode)
  try {
    const write = writerOf(file.fd)
    for await (const piece of storedPieces(image, pieceBytes)) {
      run.check()
      await copyStored(image, write, piece, change)
      run.advance(piece.byteCount)
    }
  } finally {
    await file.close()
  }
}

/** None can be begun while a copy is made; one that had just ended then has taken the key away that the copy was to open with. */
async function requireHeader(dataFolder: string, volumeId: string, before: Uint8Array): Promise<void> {
  const now = await readImageHeader(dataFolder, volumeId)
  if (Buffer.compare(now.subarray(0, before.length), before) === 0) return
  throw new Fault('conflict', `volume ${volumeId} was re-encrypted while a copy of it was begun`)
}

/** The control plane says so before; here nothing comes into being whose tags are missing. */
function requireNoTags(...images: readonly VolumeSpec[]): void {
  if (!images.some(({ isAuthenticated }) => isAuthenticated)) return
  throw new Fault('unprocessable', 'volumes whose sectors have tags are not copied yet')
}

function requireRoom({ capacityBytes }: VolumeSpec, sourceBytes: number): void {
  if (capacityBytes >= sourceBytes) return
  throw new Fault('invalid', `a copy has at least the ${sourceBytes} bytes of its source, not ${capacityBytes}`)
}
