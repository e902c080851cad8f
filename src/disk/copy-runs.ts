// The copies of a disk process that are under way, by the id of what they make.

import { Fault } from '#base/fault.ts'
import type { Log } from '#base/log.ts'
import { CopyRun } from './copy-run.ts'
import { DeviceFault } from './device.ts'
import type { CopyProgress } from './port.ts'

export class CopyRuns {
  readonly #log: Log
  readonly #runs = new Map<string, CopyRun>()
  readonly #ended = new Set<Promise<void>>()

  constructor(log: Log) {
    this.#log = log
  }

  /** One at a time under an id: whoever calls sees to that. */
  async run(id: string, work: (run: CopyRun) => Promise<void>): Promise<void> {
    const run = new CopyRun()
    this.#runs.set(id, run)
    try {
      await work(run)
      this.#log.info({ imageId: id, ...run.progress }, 'image copied')
    } catch (error) {
      this.#log.info({ imageId: id, err: error }, 'image not copied')
      // What a copy without its keys stumbles over is nobody's business.
      run.check()
      throw faultOf(error)
    } finally {
      this.#runs.delete(id)
    }
  }

  /** Has the end of the process wait for it. */
  track(made: Promise<void>): Promise<void> {
    const ended = Promise.allSettled([made]).then(() => void this.#ended.delete(ended))
    this.#ended.add(ended)
    return made
  }

  isRunning(id: string): boolean {
    return this.#runs.has(id)
  }

  progress(id: string): CopyProgress | null {
    return this.#runs.get(id)?.progress ?? null
  }

  /** Nothing of the copy goes on; what there is of it is removed soon. */
  abort(id: string): void {
    this.#runs.get(id)?.abort(new Fault('conflict', `image ${id} was removed while it was being made`))
  }

  /** For the end of the process. */
  async close(): Promise<void> {
    for (const run of this.#runs.values()) run.abort(new Fault('unavailable', 'the disk process ends'))
    await Promise.all(this.#ended)
  }
}

/** A disk that is full or broken is the caller's to know. */
export function faultOf(error: unknown): unknown {
  const isOfDisk = error instanceof DeviceFault || (error instanceof Error && 'syscall' in error)
  return isOfDisk ? new Fault('unavailable', `copying an image: ${error.message}`, { cause: error }) : error
}
