// The sealed material of a purged key leaves the disk with it: the master key that it was sealed with is still there.

import type { Database } from '#store/database.ts'

export interface Scrubbing {
  /** After a purge. Where something else reads the database at the moment, a sweep completes it. */
  scrub(): Promise<void>
  /** Completes what could not be completed. To be called again and again. */
  complete(): Promise<void>
}

export function makeScrubbing(database: Pick<Database, 'scrub'>): Scrubbing {
  let isComplete = true
  const scrub = async (): Promise<void> => {
    isComplete = false
    isComplete = await database.scrub()
  }
  return {
    scrub,
    async complete() {
      if (!isComplete) await scrub()
    },
  }
}
