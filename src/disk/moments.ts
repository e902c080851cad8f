// One moment of several volumes, which may lie in several processes. Each copy says when it is ready, and begins to hold its
// volume when all are; then it says that it holds, and takes its copy when all do. At that instant every write to any of the
// volumes is either done or has not begun, so none is in without those that were acknowledged before it was sent. Nobody
// holds for longer than `momentHeldMsMax`: who has let go fails, and with one all fail (pool.ts).

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { momentHeldMsMax, momentReadyMsMax } from '#base/limits.ts'
import { within } from '#base/within.ts'

type Stage = 'ready' | 'held'

/** What the parent offers to its processes. */
export interface MomentsPort {
  /** Fulfilled when all copies of the moment have come so far; rejects when one of them will not. */
  arriveAt(momentId: string, stage: Stage): Promise<void>
}

/** A moment as one copy sees it. */
export interface Moment {
  /** Before the volume is held. */
  ready(): Promise<void>
  /** While it is. */
  held(): Promise<void>
}

/** Of a copy that has nobody to wait for. */
export const anyMoment: Moment = { ready: async () => undefined, held: async () => undefined }

export function momentOf({ moments, clock }: { moments: MomentsPort; clock: Clock }, momentId: string): Moment {
  const arrive = (stage: Stage, limitMs: number): Promise<void> =>
    within(clock, limitMs, moments.arriveAt(momentId, stage), { sentence: `not every volume was ${stage} in time` })
  return { ready: () => arrive('ready', momentReadyMsMax), held: () => arrive('held', momentHeldMsMax) }
}

/** The parent's: who has come how far. */
export class Moments implements MomentsPort {
  readonly #gatherings = new Map<string, Readonly<Record<Stage, Gathering>>>()

  begin(momentId: string, copies: number): void {
    this.#gatherings.set(momentId, { ready: new Gathering(copies), held: new Gathering(copies) })
  }

  arriveAt(momentId: string, stage: Stage): Promise<void> {
    const gathering = this.#gatherings.get(momentId)?.[stage]
    return gathering ? gathering.arrive() : Promise.reject(new Fault('unavailable', 'the moment has passed'))
  }

  /** Nobody waits any more for whom one of them will not come. */
  end(momentId: string): void {
    const gatherings = this.#gatherings.get(momentId)
    this.#gatherings.delete(momentId)
    const over = new Fault('unavailable', 'another volume of the group could not be captured')
    gatherings?.ready.end(over)
    gatherings?.held.end(over)
  }
}

class Gathering {
  readonly #all = Promise.withResolvers<void>()
  #missing: number

  constructor(copies: number) {
    this.#missing = copies
    // Nobody may be waiting when it ends.
    this.#all.promise.catch(() => undefined)
  }

  arrive(): Promise<void> {
    this.#missing -= 1
    if (this.#missing === 0) this.#all.resolve()
    return this.#all.promise
  }

  end(error: Fault): void {
    this.#all.reject(error)
  }
}
