// The data plane of one process, put together: volumes, exports, doors. Answers the control plane's DiskPort.

import { createPublicKey } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import { Exports } from './exports.ts'
import { socketPath } from './folders.ts'
import { CopyRuns } from './copy-runs.ts'
import { ImageCopies } from './image-copies.ts'
import { makeImageExports } from './image-exports.ts'
import { Lanes } from './lanes.ts'
import { LeaseBook } from './leases.ts'
import type { LeaseKms } from './leases.ts'
import { Listeners } from './listeners.ts'
import type { MomentsPort } from './moments.ts'
import type { Connection, IntegrityBook } from './port.ts'
import type { DiskProcessPort, ProcessSettings } from './process-port.ts'
import { deriveKey, formatIdentity } from './psk.ts'
import { Reencryptions } from './reencryptions.ts'
import { RequestMemory } from './request-memory.ts'
import { Turns } from '#base/turns.ts'
import { Volumes } from './volumes.ts'

export interface DiskParts {
  readonly settings: Omit<ProcessSettings, 'laneThreadsMax'>
  readonly kms: LeaseKms
  readonly moments: MomentsPort
  readonly book: IntegrityBook
  readonly privateKey: KeyObject
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Threads that serve connections; with 0 the event loop serves them all. */
  readonly laneThreadsMax: number
  onBroken(error: unknown): void
}

export interface Disk {
  readonly port: DiskProcessPort
  /** Flushes what was written, cuts everybody, leaves no key behind. */
  close(): Promise<void>
}

export async function startDisk(parts: DiskParts): Promise<Disk> {
  const { settings, kms, moments, book, privateKey, clock, random, log, onBroken } = parts
  const { dataFolder, accessSecret, holderId, host } = settings
  const leases = new LeaseBook({ holderId, privateKey, kms, clock, log })
  const turns = new Turns()
  const memory = new RequestMemory()
  const volumes = new Volumes({ dataFolder, leases, book, memory, turns, clock, random, log })
  const runs = new CopyRuns(log)
  const copies = new ImageCopies({ dataFolder, volumes, leases, moments, turns, runs, clock, random })
  const reencryptions = new Reencryptions({ volumes, leases, clock, random, log })
  const imageExports = makeImageExports({ dataFolder, volumes, leases, runs, clock, random })
  const exports = new Exports(volumes)
  const lanes = new Lanes(parts.laneThreadsMax, clock, onBroken)
  const listeners = new Listeners({ dataFolder, accessSecret, exports, lanes, memory, clock, log, onBroken })
  const tcpPort = await listeners.listenTcp(host, settings.tcpPort)
  const publicKey = new Uint8Array(createPublicKey(privateKey).export({ type: 'spki', format: 'der' }))

  const port: DiskProcessPort = {
    hello: async () => ({ holderId, publicKey, tcpPort }),
    fence: async (leaseIds) => leases.fence(leaseIds),
    createVolume: (volume) => volumes.create(volume),
    createSnapshot: (source, snapshot, momentId) => copies.createSnapshot(source, snapshot, momentId),
    createVolumeFrom: (volume, source, options) => copies.createVolumeFrom(volume, source, options),
    describeImage: (imageId) => copies.describe(imageId),
    importStaged: (image, wanted) => copies.importStaged(image, wanted),
    exportStaged: (image, wanted) => imageExports.exportStaged(image, wanted),
    cancelExport: async (_imageId, exportId) => runs.abort(exportId),
    copyProgress: async (volumeId) => runs.progress(volumeId) ?? reencryptions.progress(volumeId),
    reencryptVolume: (volume, bytesPerSecondMax) => reencryptions.start(volume, bytesPerSecondMax),
    limitReencryption: async (volumeId, bytesPerSecondMax) => reencryptions.limit(volumeId, bytesPerSecondMax),
    async deleteVolume(volumeId) {
      runs.abort(volumeId)
      reencryptions.abort(volumeId)
      for (const attachmentId of exports.attachmentsOf(volumeId)) listeners.closeUnix(attachmentId)
      await exports.removeVolume(volumeId)
      await volumes.delete(volumeId)
    },
    async addExport(spec) {
      exports.add(spec)
      await listeners.openUnix(spec.attachmentId)
    },
    async removeExport(_volumeId, attachmentId) {
      listeners.closeUnix(attachmentId)
      await exports.remove(attachmentId)
    },
    async connect(_volumeId, attachmentId, lifetimeMs) {
      if (!exports.has(attachmentId)) throw new Fault('not_found', `attachment ${attachmentId} is not served here`)
      const unixPath = socketPath(dataFolder, attachmentId)
      return makeConnection({
        accessSecret,
        host,
        tcpPort,
        unixPath,
        attachmentId,
        expiresAt: clock.now() + lifetimeMs,
      })
    },
  }

  async function close(): Promise<void> {
    listeners.close()
    await runs.close()
    await reencryptions.close()
    await volumes.closeAll()
    listeners.cutAll()
    lanes.close()
    leases.fenceAll()
  }

  return { port, close }
}

interface Address {
  readonly accessSecret: Uint8Array
  readonly host: string
  readonly tcpPort: number
  readonly unixPath: string
  readonly attachmentId: string
  readonly expiresAt: number
}

/** URIs as in the NBD URI specification; of TLS, only the name of the file with the key is missing (`tls-psk-file`). */
function makeConnection({ accessSecret, host, tcpPort, unixPath, attachmentId, expiresAt }: Address): Connection {
  const pskIdentity = formatIdentity({ attachmentId, expiresAt })
  const exportName = encodeURIComponent(attachmentId)
  const socket = encodeURIComponent(unixPath).replaceAll('%2F', '/')
  return {
    uri: `nbds://${encodeURIComponent(pskIdentity)}@${reachable(host)}:${tcpPort}/${exportName}`,
    pskIdentity,
    pskKey: deriveKey(accessSecret, pskIdentity).toString('hex'),
    unixUri: `nbd+unix:///${exportName}?socket=${socket}`,
    expiresAt: Math.ceil(expiresAt / 1000) * 1000,
  }
}

/** An address to connect to where `host` is one to listen on. */
function reachable(host: string): string {
  if (host === '0.0.0.0') return '127.0.0.1'
  if (host === '::') return '[::1]'
  return host.includes(':') ? `[${host}]` : host
}
