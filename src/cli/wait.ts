// Waiting for a state that comes by itself.

import { flag, whole } from './command.ts'
import type { Cli } from './context.ts'
import { Failure } from './failure.ts'

export const waitOptions = {
  wait: flag('until it is so, or has failed'),
  timeout: whole('SECONDS', 'give up waiting after so long (300)', { min: 1, max: 86_400 }),
} as const

const pollMs = 250
const timeoutSecondsUsual = 300

/** Asks until `isThere`; `problem` says why it never will be. */
export async function until<Thing>(
  cli: Cli,
  given: {
    readonly timeout: number | undefined
    readonly what: string
    readonly ask: () => Promise<Thing>
    readonly isThere: (thing: Thing) => boolean
    readonly problem: (thing: Thing) => string | null
  },
): Promise<Thing> {
  const seconds = given.timeout ?? timeoutSecondsUsual
  const end = cli.clock.monotonicMs() + seconds * 1000
  for (;;) {
    const thing = await given.ask()
    if (given.isThere(thing)) return thing
    const problem = given.problem(thing)
    if (problem !== null) throw new Failure('conflict', problem)
    if (cli.clock.monotonicMs() >= end) throw new Failure('away', `${given.what} took longer than ${seconds} seconds`)
    await cli.pause(pollMs)
  }
}
