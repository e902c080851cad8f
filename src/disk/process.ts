// A disk process: the only place besides the key manager where data keys are open. Started by pool.ts, which speaks first
// (ProcessSettings). It lives no longer than its parent, and a bug ends it: half-known state must not write.

import { generateKeyPairSync } from 'node:crypto'
import { BrokenAssertion } from '#base/assert.ts'
import { connectPorts } from '#base/channel.ts'
import { systemClock } from '#base/clock.ts'
import { makeLog } from '#base/log.ts'
import type { Log } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { startDisk } from './disk.ts'
import type { Disk } from './disk.ts'
import type { DiskProcessPort, ParentPort, ProcessSettings } from './process-port.ts'
import { linux } from './system.ts'

/** A shutdown that waits for a disk longer than this is no longer clean anyway. */
const closeMsMax = 10_000

// Sockets and files are for nobody else, from the moment they exist.
process.umask(0o077)
// The parent speaks our own version of the protocol: the shape is known.
process.once('message', (settings) => run(settings as ProcessSettings))

function run(settings: ProcessSettings): void {
  const log = makeLog(settings.logLevel).child({ part: 'disk', holderId: settings.holderId })
  if (!linux?.forbidCoreFiles()) log.warn('core files could not be forbidden')
  const onBroken = (error: unknown): void => report(error, log)
  process.on('uncaughtException', (err) => die(err, log))
  process.on('unhandledRejection', (err) => die(err, log))
  const { privateKey } = generateKeyPairSync('ed25519')

  const starting = Promise.withResolvers<Disk>()
  // `hello` reports it; without a listener of its own it would end the process first.
  starting.promise.catch(() => undefined)
  const parent = connectPorts<ParentPort>(parentPipe, lateDisk(starting.promise), onBroken)
  startDisk({
    settings,
    kms: parent,
    moments: parent,
    book: parent,
    privateKey,
    clock: systemClock,
    random: systemRandom,
    log,
    laneThreadsMax: settings.laneThreadsMax,
    onBroken,
  }).then(starting.resolve, starting.reject)
  // The parent has gone: it can no longer tell us to stop, so we stop now.
  process.once('disconnect', () => process.exit(0))
  process.once('SIGTERM', () => void end(starting.promise, log))
  process.on('SIGINT', () => undefined)
}

/** The port of a disk that may still be starting. */
function lateDisk(disk: Promise<Disk>): DiskProcessPort {
  return {
    hello: async () => (await disk).port.hello(),
    fence: async (leaseIds) => (await disk).port.fence(leaseIds),
    createVolume: async (volume) => (await disk).port.createVolume(volume),
    deleteVolume: async (volumeId) => (await disk).port.deleteVolume(volumeId),
    createSnapshot: async (source, snapshot, momentId) => (await disk).port.createSnapshot(source, snapshot, momentId),
    createVolumeFrom: async (volume, source, options) => (await disk).port.createVolumeFrom(volume, source, options),
    describeImage: async (imageId) => (await disk).port.describeImage(imageId),
    importStaged: async (image, wanted) => (await disk).port.importStaged(image, wanted),
    exportStaged: async (image, wanted) => (await disk).port.exportStaged(image, wanted),
    cancelExport: async (imageId, exportId) => (await disk).port.cancelExport(imageId, exportId),
    reencryptVolume: async (volume, limit) => (await disk).port.reencryptVolume(volume, limit),
    limitReencryption: async (volumeId, limit) => (await disk).port.limitReencryption(volumeId, limit),
    copyProgress: async (volumeId) => (await disk).port.copyProgress(volumeId),
    addExport: async (spec) => (await disk).port.addExport(spec),
    removeExport: async (volumeId, attachmentId) => (await disk).port.removeExport(volumeId, attachmentId),
    connect: async (volumeId, attachmentId, lifetimeMs) =>
      (await disk).port.connect(volumeId, attachmentId, lifetimeMs),
  }
}

const parentPipe = {
  send: (message: unknown): void => {
    // Where the channel has closed meanwhile, 'disconnect' ends the process.
    process.send?.(message, undefined, undefined, () => undefined)
  },
  onMessage: (listener: (message: unknown) => void): void => {
    process.on('message', listener)
  },
  onClose: (listener: () => void): void => {
    process.once('disconnect', listener)
  },
}

function report(error: unknown, log: Log): void {
  if (error instanceof BrokenAssertion) die(error, log)
  log.error({ err: error }, 'unexpected error')
}

function die(err: unknown, log: Log): never {
  log.fatal({ err }, 'disk process ends')
  process.exit(1)
}

async function end(disk: Promise<Disk>, log: Log): Promise<void> {
  systemClock.after(closeMsMax, () => process.exit(1))
  try {
    await (await disk).close()
  } catch (err) {
    log.error({ err }, 'disk process could not end cleanly')
    process.exit(1)
  }
  process.exit(0)
}
