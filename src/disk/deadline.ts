// What the parent does about a disk process that does not answer: stopped, hung, or swapped out. Waiting for it would hold
// up every account, so calls end by time; and a process that has been silent for a lease, or for the length of a fence, is
// killed. The system keeps that promise even for a stopped process, and a dead one serves nobody.

import type { Clock } from '#base/clock.ts'
import { diskCallMsMax, fenceKillMs, leaseMs, leaseRenewMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import { within } from '#base/within.ts'
import type { FenceAck } from '#kms/port.ts'
import type { DiskProcessPort } from './process-port.ts'

export interface Watched {
  readonly remote: DiskProcessPort
  readonly ended: Promise<void>
  readonly clock: Clock
  readonly log: Log
  /** SIGKILL. */
  kill(): void
}

const late = { sentence: 'the disk process did not answer in time' }

/** What the pool asks of a process. */
export type PoolPort = Omit<DiskProcessPort, 'hello' | 'fence'>

export function bounded({ remote, clock }: Pick<Watched, 'remote' | 'clock'>): PoolPort {
  /** The work itself may go on and must bear being asked for again. */
  const soon = <Answer>(answer: Promise<Answer>): Promise<Answer> => within(clock, diskCallMsMax, answer, late)
  return {
    createVolume: (volume) => soon(remote.createVolume(volume)),
    deleteVolume: (volumeId) => soon(remote.deleteVolume(volumeId)),
    // These take as long as there is to copy; the end of the process ends them.
    createSnapshot: (source, snapshot, momentId) => remote.createSnapshot(source, snapshot, momentId),
    createVolumeFrom: (volume, source, options) => remote.createVolumeFrom(volume, source, options),
    importStaged: (image, wanted) => remote.importStaged(image, wanted),
    exportStaged: (image, wanted) => remote.exportStaged(image, wanted),
    cancelExport: (imageId, exportId) => soon(remote.cancelExport(imageId, exportId)),
    reencryptVolume: (volume, limit) => remote.reencryptVolume(volume, limit),
    limitReencryption: (volumeId, limit) => soon(remote.limitReencryption(volumeId, limit)),
    describeImage: (imageId) => soon(remote.describeImage(imageId)),
    copyProgress: (volumeId) => soon(remote.copyProgress(volumeId)),
    addExport: (spec) => soon(remote.addExport(spec)),
    removeExport: (volumeId, attachmentId) => soon(remote.removeExport(volumeId, attachmentId)),
    connect: (volumeId, attachmentId, lifetimeMs) => soon(remote.connect(volumeId, attachmentId, lifetimeMs)),
  }
}

/** Resolves when nothing is served under the leases: acknowledged, or because the process has been killed. */
export async function fenceOrKill(watched: Watched, leaseIds: readonly string[]): Promise<readonly FenceAck[]> {
  const { remote, ended, clock, log } = watched
  try {
    return await within(clock, fenceKillMs, remote.fence(leaseIds), late)
  } catch (err) {
    log.error({ err, leaseIds }, 'a disk process did not acknowledge a fence and is killed')
    watched.kill()
    await ended
    return []
  }
}

/**
 * Asks for a sign of life as often as leases are renewed, until the process ends or the answer is called: for a process
 * that is told to end, which may be silent while it flushes, and has its own limit for that.
 */
export function watch(watched: Watched): () => void {
  const { remote, ended, clock, log } = watched
  let isOver = false
  let cancel = next()
  void ended.then(stop)
  return stop

  function stop(): void {
    isOver = true
    cancel()
  }

  function next(): () => void {
    return clock.after(leaseRenewMs, () => void look())
  }

  async function look(): Promise<void> {
    const askedMs = clock.monotonicMs()
    try {
      await within(clock, leaseMs, remote.hello(), late)
      if (!isOver) cancel = next()
    } catch (err) {
      if (isOver) return
      // A timer that rings late says that we were held up ourselves: the answer may be waiting behind it.
      if (clock.monotonicMs() > askedMs + leaseMs + leaseRenewMs) return void (cancel = next())
      // Killing one that has ended by itself meanwhile does nothing.
      log.error({ err }, 'a disk process has been silent for a lease and is killed')
      watched.kill()
    }
  }
}
