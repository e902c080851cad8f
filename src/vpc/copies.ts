// Copies of images that are under way: snapshots being taken, volumes being restored. They take as long as their bytes do, so
// no pass of a reconciler waits for one; it starts those that are not running, a few at a time, and the end of each begins
// another pass. Which there should be is in the tables: after a restart all of them begin again.

import { vpcCopiesMax } from '#base/limits.ts'
import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'

export interface Copies {
  /** Does nothing while one for the id runs, or as many as may. Never rejects: what fails is said in the log, and done again. */
  start(id: string, work: () => Promise<void>): void
  isRunning(id: string): boolean
  /** From when on the id's image could have been there: when its copy was first begun, or when it began to wait, if later. */
  since(id: string, waitingSince: number): number
  /** Fulfilled when none runs. */
  idle(): Promise<void>
}

/** `afterwards` follows each that came to an end: what waited for it, or for room, goes on. */
export function makeCopies(
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  afterwards: (copies: Copies) => Promise<void>,
): Copies {
  const running = new Map<string, Promise<void>>()
  /** Of those that have not come to their end: what stands in line for its turn is nobody's delay. */
  const begun = new Map<string, number>()
  const following = new Set<Promise<void>>()

  async function run(id: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
      begun.delete(id)
    } catch (err) {
      return log.warn({ err, id }, 'a copy did not come to its end and will be made again')
    } finally {
      running.delete(id)
    }
    const next = afterwards(copies)
      .catch((err: unknown) => log.warn({ err }, 'what waited for a copy goes on with the next pass'))
      .finally(() => following.delete(next))
    following.add(next)
  }

  const copies: Copies = {
    start(id, work) {
      if (running.has(id) || running.size >= vpcCopiesMax) return
      // Set before it can end: what runs to its end at once is taken out again.
      running.set(id, Promise.resolve())
      if (!begun.has(id)) begun.set(id, clock.now())
      const done = run(id, work)
      if (running.has(id)) running.set(id, done)
    },
    isRunning: (id) => running.has(id),
    since: (id, waitingSince) => Math.max(waitingSince, begun.get(id) ?? clock.now()),
    async idle() {
      while (running.size + following.size > 0) await Promise.all([...running.values(), ...following])
    },
  }
  return copies
}
