// The disk processes, seen from the process that starts them. A volume lives on one of them, chosen by its id; all its
// attachments are there. A process that dies is started again, on the same port, and the control plane says again what
// should be so.

import { createHash } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { laneThreadsMax, laneThreadsPerCore } from '#base/limits.ts'
import type { Log, LogLevel } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { LeaseHolder } from '#kms/port.ts'
import type { PoolPort } from './deadline.ts'
import { imageIds, socketPath, sweepLeftovers } from './folders.ts'
import { faultOf } from './copy-runs.ts'
import { lanesMax } from './lane-port.ts'
import type { LeaseKms } from './leases.ts'
import { Moments } from './moments.ts'
import type { DiskPort, ImagesPort, IntegrityBook, SnapshotMember, SnapshotTaken } from './port.ts'
import { removeExported, stage, unstage, withExported } from './staging.ts'
import { startWorker } from './worker.ts'
import type { Worker } from './worker.ts'

export interface DiskPoolOptions {
  readonly dataFolder: string
  /** Address to listen on for TLS clients. */
  readonly host: string
  /** 0 for any; otherwise process i listens on `tcpPort` + i. */
  readonly tcpPort: number
  readonly processCount: number
  /** Clients' keys are derived from it: whoever changes it withdraws every connection secret. */
  readonly accessSecret: Uint8Array
  readonly log: Log
  readonly clock: Clock
  readonly random: Random
  readonly kms: LeaseKms
  readonly book: IntegrityBook
  /** A process has been replaced: it knows no exports. */
  onRestart(): void
}

export interface DiskPool extends ImagesPort {
  readonly port: DiskPort
  /** The processes that are up, each with its own name and key; a replaced one has new ones. */
  holders(): readonly LeaseHolder[]
  close(): Promise<void>
}

/** Between two starts of a process that dies at once, doubling from the first to the last. */
const restartMs = { min: 100, max: 5000 }

/** Fulfilled when every process is up. */
export async function startDiskPool(given: DiskPoolOptions): Promise<DiskPool> {
  // Clients get paths of sockets, and their working folder is another one.
  const options = { ...given, dataFolder: resolve(given.dataFolder) }
  assert(options.processCount >= 1, 'a pool has processes')
  // A path that leaves no room for unix sockets is a mistake in the configuration, to be heard of now.
  socketPath(options.dataFolder, '')
  await sweepLeftovers(options.dataFolder)
  const moments = new Moments()
  const slots = Array.from({ length: options.processCount }, (_, index) => new Slot(index, options, moments))
  try {
    await Promise.all(slots.map((slot) => slot.start()))
  } catch (error) {
    await Promise.all(slots.map((slot) => slot.close()))
    throw error
  }

  /** Snapshots that are being made, and where: beside their source, whose slot need not be that of their own id. */
  const making = new Map<string, Slot>()
  const staging = new Map<string, AbortController>()
  const sending = new Map<string, AbortController>()
  const of = (volumeId: string): PoolPort => slotOf(slots, volumeId).port()
  async function takeSnapshot({ source, snapshot }: SnapshotMember, momentId?: string): Promise<SnapshotTaken> {
    const slot = slotOf(slots, source.volumeId)
    making.set(snapshot.volumeId, slot)
    try {
      return await slot.port().createSnapshot(source, snapshot, momentId)
    } finally {
      making.delete(snapshot.volumeId)
    }
  }
  const port: DiskPort = {
    createVolume: async (volume) => of(volume.volumeId).createVolume(volume),
    async deleteVolume(volumeId) {
      // First where it may be in the making, so that nobody goes on with what has been removed.
      staging.get(volumeId)?.abort(new Fault('conflict', `image ${volumeId} was removed while it was being made`))
      await making.get(volumeId)?.port().deleteVolume(volumeId)
      await of(volumeId).deleteVolume(volumeId)
    },
    createSnapshot: (source, snapshot) => takeSnapshot({ source, snapshot }),
    async createSnapshots(members) {
      const ids = members.map(({ snapshot }) => snapshot.volumeId)
      const there = await Promise.all(ids.map((id) => port.describeImage(id)))
      const known = there.flatMap((one) => (one ? [{ storedBytes: one.storedBytes }] : []))
      if (known.length === members.length) return known
      // What an attempt has left that did not get to its end is of another moment.
      for (const [i, id] of ids.entries()) if (there[i]) await port.deleteVolume(id)
      const momentId = makeUuid(options.random)
      moments.begin(momentId, members.length)
      const causes: unknown[] = []
      const attempts = members.map(async (member) => {
        try {
          return await takeSnapshot(member, momentId)
        } catch (error) {
          causes.push(error)
          moments.end(momentId)
          throw error
        }
      })
      const taken = (await Promise.allSettled(attempts)).flatMap((one) => (one.status === 'fulfilled' ? one.value : []))
      moments.end(momentId)
      if (causes.length === 0) return taken
      for (const id of ids) await port.deleteVolume(id)
      throw causes[0]
    },
    createVolumeFrom: async (volume, source, options) => of(volume.volumeId).createVolumeFrom(volume, source, options),
    reencryptVolume: async (volume, limit) => of(volume.volumeId).reencryptVolume(volume, limit),
    limitReencryption: async (volumeId, limit) => of(volumeId).limitReencryption(volumeId, limit),
    describeImage: async (imageId) => of(imageId).describeImage(imageId),
    async importImage(image, wanted, read) {
      const id = image.volumeId
      const there = await of(id).describeImage(id)
      if (there) return { ...there, sha256: null }
      if (staging.has(id)) throw new Fault('conflict', `image ${id} is being imported already`)
      const abortion = new AbortController()
      staging.set(id, abortion)
      try {
        const limits = { bytesMax: wanted.fileBytesMax, signal: abortion.signal }
        const { sha256 } = await stage(options.dataFolder, id, read, limits)
        abortion.signal.throwIfAborted()
        await of(id).importStaged(image, wanted)
        const made = await of(id).describeImage(id)
        if (!made) throw new Fault('conflict', `image ${id} was removed while it was being made`)
        return { ...made, sha256 }
      } catch (error) {
        throw faultOf(error)
      } finally {
        staging.delete(id)
        await unstage(options.dataFolder, id)
      }
    },
    async exportImage(image, wanted, send) {
      const id = wanted.exportId
      if (sending.has(id)) throw new Fault('conflict', `image export ${id} is being made already`)
      const abortion = new AbortController()
      sending.set(id, abortion)
      try {
        await of(image.volumeId).exportStaged(image, wanted)
        abortion.signal.throwIfAborted()
        return await withExported(options.dataFolder, id, abortion.signal, send)
      } catch (error) {
        throw faultOf(error)
      } finally {
        sending.delete(id)
        await removeExported(options.dataFolder, id)
      }
    },
    async cancelExport(imageId, exportId) {
      sending.get(exportId)?.abort(new Fault('conflict', `image export ${exportId} was cancelled`))
      await of(imageId).cancelExport(imageId, exportId)
    },
    async copyProgress(volumeId) {
      const progress = await (making.get(volumeId)?.port() ?? of(volumeId)).copyProgress(volumeId)
      // A file that is being staged is on its way, though none of it has come.
      return progress ?? (staging.has(volumeId) ? { doneBytes: 0, totalBytes: 0 } : null)
    },
    addExport: async (spec) => of(spec.volume.volumeId).addExport(spec),
    removeExport: async (volumeId, attachmentId) => of(volumeId).removeExport(volumeId, attachmentId),
    connect: async (volumeId, attachmentId, lifetimeMs) => of(volumeId).connect(volumeId, attachmentId, lifetimeMs),
  }
  return {
    port,
    images: () => imageIds(options.dataFolder),
    holders: () => slots.flatMap((slot) => slot.holder() ?? []),
    close: async () => {
      await Promise.all(slots.map((slot) => slot.close()))
    },
  }
}

function slotOf(slots: readonly Slot[], volumeId: string): Slot {
  const slot = slots[createHash('sha256').update(volumeId).digest().readUInt32BE(0) % slots.length]
  assert(slot, 'a remainder is an index')
  return slot
}

/** One place in the pool and the process that fills it. */
class Slot {
  readonly #index: number
  readonly #options: DiskPoolOptions
  readonly #moments: Moments
  #worker: Worker | null = null
  /** The port of the first process, which its successors take over: connection URIs stay good. */
  #tcpPort: number
  #pauseMs = restartMs.min
  #isClosed = false
  #restarting: Promise<void> | null = null
  #cancelRestart: () => void = () => undefined

  constructor(index: number, options: DiskPoolOptions, moments: Moments) {
    this.#index = index
    this.#moments = moments
    this.#options = options
    this.#tcpPort = options.tcpPort === 0 ? 0 : options.tcpPort + index
  }

  async start(): Promise<void> {
    const { dataFolder, host, accessSecret, clock, log, kms, book } = this.#options
    const worker = await startWorker({
      settings: {
        holderId: `disk-${this.#index}-${makeUuid(this.#options.random)}`,
        dataFolder,
        host,
        tcpPort: this.#tcpPort,
        accessSecret,
        logLevel: levelOf(log),
        laneThreadsMax: lanesOfEach(this.#options.processCount),
      },
      kms,
      moments: this.#moments,
      book,
      clock,
      log,
    })
    if (this.#isClosed) return worker.close()
    this.#worker = worker
    this.#tcpPort = worker.hello.tcpPort
    const cancelCalm = this.#options.clock.after(restartMs.max, () => {
      this.#pauseMs = restartMs.min
    })
    void this.#follow(worker, cancelCalm)
  }

  async #follow(worker: Worker, cancelCalm: () => void): Promise<void> {
    await worker.ended
    cancelCalm()
    this.#worker = null
    if (!this.#isClosed) this.#restartLater()
  }

  /** Throws a Fault while there is no process. */
  port(): PoolPort {
    if (!this.#worker) throw new Fault('unavailable', 'the disk process of this volume is starting again')
    return this.#worker.port
  }

  holder(): LeaseHolder | null {
    return this.#worker?.holder ?? null
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelRestart()
    await this.#restarting
    await this.#worker?.close()
  }

  #restartLater(): void {
    const { clock, log } = this.#options
    log.warn({ process: this.#index, pauseMs: this.#pauseMs }, 'disk process has ended and is started again')
    this.#cancelRestart = clock.after(this.#pauseMs, () => {
      this.#restarting = this.#restart()
    })
    this.#pauseMs = Math.min(this.#pauseMs * 2, restartMs.max)
  }

  async #restart(): Promise<void> {
    try {
      await this.start()
    } catch (err) {
      this.#options.log.error({ err, process: this.#index }, 'disk process could not be started')
      if (!this.#isClosed) this.#restartLater()
      return
    }
    if (!this.#isClosed) this.#options.onRestart()
  }
}

/** At least one that may receive while another sends. */
export const lanesOfEach = (processCount: number, coreCount = availableParallelism()): number =>
  Math.min(laneThreadsMax, Math.max(lanesMax, Math.floor((laneThreadsPerCore * coreCount) / processCount)))

/** Levels of the log beyond the six and 'silent' do not exist here. */
function levelOf(log: Log): LogLevel {
  const levels: readonly LogLevel[] = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']
  return levels.find((level) => level === log.level) ?? 'info'
}
