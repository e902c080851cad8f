// Rotation in a process that serves. What asks for it is a row in the database: written at start, when the settings name
// an old source and a new one, or by `keyward master-key rotate` from beside, which is why this looks now and then.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { rotationLookMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Held, MasterKeyProviders } from './hold.ts'
import { readRecords } from './records.ts'
import { afterRequests, finishRotation } from './rotate.ts'
import type { RotationParts } from './rotate.ts'

export interface RotationWatch {
  /** Nothing begins afterwards; what is half done goes on at the next start. */
  stop(): Promise<void>
}

export function watchRotation(
  parts: Omit<RotationParts, 'present' | 'ring'> & {
    readonly held: Held
    readonly providers: MasterKeyProviders
    readonly clock: Clock
    readonly log: Log
  },
): RotationWatch {
  const { database, clock, log, held, providers } = parts
  const { ring } = held
  const present = providers.present
  let stopped = false
  let running: Promise<void> = Promise.resolve()
  let cancel = (): void => {}

  /** Turns the ring to the key that the database asks for, if it asks and that has not been done. */
  async function isWanted(): Promise<boolean> {
    const { next } = await readRecords(database)
    if (!next || stopped) return false
    if (next.id === ring.current.record.id) return true
    const key = await present.find(next)
    if (!key)
      throw new Fault('unavailable', `${present.name} does not hold the master key ${next.id} that was asked for`)
    ring.turn(key)
    return true
  }

  /** A stop must not wait for the pause. */
  let giveUp = (): void => {}
  const settled = (): Promise<void> =>
    new Promise((resolve, reject) => {
      giveUp = () => reject(new Stopped())
      afterRequests(clock)().then(resolve, reject)
    })

  async function look(): Promise<void> {
    try {
      if (await isWanted()) await finishRotation({ ...parts, ring, present }, settled)
    } catch (error) {
      if (!(error instanceof Stopped))
        log.error({ err: error }, 'the master key is not replaced yet: it is tried again')
    }
    if (!stopped) cancel = clock.after(rotationLookMs, () => void (running = look()))
  }

  running = look()
  return {
    async stop() {
      stopped = true
      cancel()
      giveUp()
      await running
    },
  }
}

class Stopped extends Error {
  override readonly name = 'Stopped'
}
