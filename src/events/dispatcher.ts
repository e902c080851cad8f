// Wakes consumers: at once after a commit that holds an event they care about, and every `sweepMs` in any case. A
// consumer takes no input; it re-reads the truth and acts on that, so a late, lost or repeated event does no harm.

import type { Clock } from '#base/clock.ts'
import { sweepMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Database } from '#store/database.ts'
import type { EventType } from './event.ts'
import { moveCursor, newestSeq, readCursor } from './outbox.ts'

export interface Consumer {
  readonly name: string
  readonly types: readonly EventType[]
  /**
   * Brings the world to what the tables say. Rejecting means "not done": it is woken again. A long one rejects when the
   * signal says that nobody waits for it any more.
   */
  reconcile(signal?: AbortSignal): Promise<void>
}

export interface Dispatcher {
  /** Runs the consumer soon, whatever the events say; for wakes that come from elsewhere. */
  wake(name: string): void
  /** Waits for what is running; nothing runs afterwards. */
  stop(): Promise<void>
}

export function startDispatcher(parts: {
  readonly database: Database
  readonly clock: Clock
  readonly log: Log
  readonly consumers: readonly Consumer[]
}): Dispatcher {
  const { database, clock, log } = parts
  const workers = parts.consumers.map((consumer) => makeWorker(consumer))
  const stopListening = database.onCommit(() => workers.forEach((worker) => worker.look()))
  for (const worker of workers) worker.force()

  function makeWorker(consumer: Consumer) {
    let running: Promise<void> | null = null
    let again: 'no' | 'look' | 'force' = 'no'
    const stopping = new AbortController()
    let cancelTimer: () => void = nothing

    /** When it runs in any case, by the monotonic clock. Looks that find nothing to do leave it where it is. */
    let dueMs = 0

    async function pass(forced: boolean): Promise<void> {
      const cursor = await readCursor(database.reads, consumer.name)
      const seq = await newestSeq(database.reads, consumer.types, cursor)
      if (seq === null && !forced) return
      await consumer.reconcile(stopping.signal)
      if (seq !== null) await database.transaction((tx) => moveCursor(tx, consumer.name, seq))
      dueMs = clock.monotonicMs() + sweepMs
    }

    async function run(forced: boolean): Promise<void> {
      cancelTimer()
      try {
        await pass(forced)
      } catch (error) {
        dueMs = clock.monotonicMs() + retryMs
        if (!stopping.signal.aborted)
          log.error({ err: error, consumer: consumer.name }, 'a consumer did not finish and will run again')
      }
      if (!stopping.signal.aborted)
        cancelTimer = clock.after(Math.max(0, dueMs - clock.monotonicMs()), () => start(true))
    }

    function start(forced: boolean): void {
      if (stopping.signal.aborted) return
      if (running) {
        again = forced ? 'force' : again === 'no' ? 'look' : again
        return
      }
      running = run(forced).finally(() => {
        running = null
        const next = again
        again = 'no'
        if (next !== 'no') start(next === 'force')
      })
    }

    return {
      name: consumer.name,
      look: () => start(false),
      force: () => start(true),
      async stop() {
        stopping.abort()
        cancelTimer()
        await running
      },
    }
  }

  return {
    wake(name) {
      workers.find((worker) => worker.name === name)?.force()
    },
    async stop() {
      stopListening()
      await Promise.all(workers.map((worker) => worker.stop()))
    },
  }
}

const nothing = (): void => {}

/** After a failed pass: soon, but not in a circle. */
const retryMs = 1000
