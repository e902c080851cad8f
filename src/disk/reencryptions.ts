// Volumes of this process that are being re-encrypted. Each is open for as long as that takes, with or without clients.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { volumeKeyBytes } from '#crypto/xts-engine.ts'
import { CopyRun } from './copy-run.ts'
import { faultOf } from './copy-runs.ts'
import { makeHeader } from './image.ts'
import { leaseFor } from './leases.ts'
import type { LeaseBook } from './leases.ts'
import { isOfOurForm } from './open-image.ts'
import type { VolumeUse } from './open-volume.ts'
import { Pace } from './pace.ts'
import type { CopyProgress, VolumeSpec } from './port.ts'
import type { Volumes } from './volumes.ts'

export interface ReencryptionsParts {
  readonly volumes: Volumes
  readonly leases: LeaseBook
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

interface Running {
  readonly run: CopyRun
  readonly pace: Pace
  readonly done: Promise<void>
}

export class Reencryptions {
  readonly #parts: ReencryptionsParts
  readonly #running = new Map<string, Running>()

  constructor(parts: ReencryptionsParts) {
    this.#parts = parts
  }

  /** See DiskPort. Said again, it is the same re-encryption, and the newer limit. */
  async start(spec: VolumeSpec, bytesPerSecondMax: number | null): Promise<void> {
    // The control plane says so before: its tags would have to be made anew.
    if (spec.isAuthenticated)
      throw new Fault('unprocessable', 'volumes whose sectors have tags are not re-encrypted yet')
    const known = this.#running.get(spec.volumeId)
    if (known) {
      known.pace.bytesPerSecondMax = bytesPerSecondMax
      return await known.done
    }
    const run = new CopyRun()
    const pace = new Pace(bytesPerSecondMax, this.#parts.clock)
    const done = this.#run(spec, run, pace).finally(() => this.#running.delete(spec.volumeId))
    this.#running.set(spec.volumeId, { run, pace, done })
    await done
  }

  limit(volumeId: string, bytesPerSecondMax: number | null): void {
    const running = this.#running.get(volumeId)
    if (running) running.pace.bytesPerSecondMax = bytesPerSecondMax
  }

  progress(volumeId: string): CopyProgress | null {
    return this.#running.get(volumeId)?.run.progress ?? null
  }

  abort(volumeId: string): void {
    this.#running.get(volumeId)?.run.abort(new Fault('conflict', `volume ${volumeId} was removed meanwhile`))
  }

  /** For the end of the process. */
  async close(): Promise<void> {
    const running = [...this.#running.values()]
    for (const { run } of running) run.abort(new Fault('unavailable', 'the disk process ends'))
    await Promise.allSettled(running.map(({ done }) => done))
  }

  async #run(spec: VolumeSpec, run: CopyRun, pace: Pace): Promise<void> {
    const { volumes, clock, log } = this.#parts
    const { volumeId } = spec
    const stopped = new Fault('conflict', `volume ${volumeId} stopped while it was being re-encrypted`)
    const use = await volumes.use(spec, () => run.abort(stopped))
    try {
      if (!use.reencryption.isUnderWay && isSame(use.newestKey, spec.newer?.wrappedDataKey)) return
      if (!use.reencryption.isUnderWay) await this.#begin(use, spec, run)
      await use.reencryption.carryOn(run, pace, () => clock.monotonicMs())
      log.info({ volumeId, ...run.progress }, 'volume re-encrypted')
    } catch (error) {
      log.info({ volumeId, ...run.progress, err: error }, 'volume not re-encrypted to its end')
      run.check()
      throw faultOf(error)
    } finally {
      use.release()
    }
  }

  async #begin(use: VolumeUse, spec: VolumeSpec, run: CopyRun): Promise<void> {
    const { newer, volumeId } = spec
    if (!newer) throw new Fault('invalid', `no key was given to re-encrypt volume ${volumeId} to`)
    if (!isOfOurForm(use.form)) {
      throw new Fault('unprocessable', 'only images of the form that is made here can be re-encrypted')
    }
    const { leases, random } = this.#parts
    const { lease, dataKey } = await leaseFor(leases, { ...spec, ...newer })
    using passphrase = dataKey
    using volumeKey = SecretBytes.random(random, volumeKeyBytes)
    // With either lease both are wiped at once, whatever waits for a disk here.
    run.endWith(passphrase)
    run.endWith(volumeKey)
    const ended = new Fault('conflict', `the right to use the newer data key of ${volumeId} ended meanwhile`)
    try {
      lease.onEnd(() => run.abort(ended))
      run.check()
      const header = makeHeader({ volumeId, dataKey: passphrase, volumeKey, random })
      await use.reencryption.begin(header, volumeKey, run)
      // Before anything is under it.
      use.holdNewer(lease, newer.wrappedDataKey)
    } catch (error) {
      await lease.release()
      throw error
    }
  }
}

const isSame = (a: Uint8Array, b: Uint8Array | undefined): boolean => b !== undefined && Buffer.compare(a, b) === 0
