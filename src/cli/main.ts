// The command line: a client of the public APIs with no privilege of its own. The only file here that reads the environment.

import { constants, homedir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#base/clock.ts'
import { systemRandom } from '#base/random.ts'
import { asker } from './ask.ts'
import { commands } from './commands.ts'
import { makeCli } from './context.ts'
import type { Cli } from './context.ts'
import { exitCodes } from './failure.ts'
import { failedBy } from './failure-text.ts'
import { runProgram } from './program.ts'
import type { Runner } from './program.ts'
import { version } from './session.ts'
import { targetsIn } from './targets.ts'

const ending = new AbortController()
/** Whoever reads has had enough: end as every tool in a pipe does, without a word. */
const readerGone = 128 + constants.signals.SIGPIPE
process.stdout.on('error', () => process.exit(readerGone))
process.stderr.on('error', () => process.exit(readerGone))
// Files that we make are ours alone, whatever the shell's mask is.
process.umask(0o077)

const run: Runner = async (globals, run) => {
  const cli = makeCli({
    clock: systemClock,
    asker: asker(process.stdin, process.stderr),
    targets: targetsIn(configFolder(), () => Buffer.from(systemRandom.bytes(8)).toString('hex')),
    environment: process.env,
    globals,
    ending: ending.signal,
    streams: { out: process.stdout, error: process.stderr },
  })
  return await outcome(cli, run)
}

async function outcome(cli: Cli, run: (cli: Cli) => Promise<Awaited<ReturnType<Parameters<Runner>[1]>>>) {
  try {
    const shown = await run(cli)
    if (shown) cli.show(shown)
    return shown?.exitCode ?? exitCodes.ok[0]
  } catch (error) {
    const failed = failedBy(error)
    const text = failed
      ? cli.globals.json
        ? JSON.stringify({ error: failed.body })
        : `keyward: ${failed.text}`
      : `keyward: a bug of ours: ${String(error instanceof Error ? error.stack : error)}`
    process.stderr.write(`${text}\n`)
    return failed?.exitCode ?? exitCodes.failed[0]
  }
}

function configFolder(): string {
  const base = process.env['XDG_CONFIG_HOME']
  // XDG Base Directory Specification: a relative one is not to be used.
  return join(base?.startsWith('/') ? base : join(homedir(), '.config'), 'keyward')
}

process.on('SIGINT', () => {
  ending.abort()
  // Gone at once, unless a command is at something that it ends by itself.
  if (process.listenerCount('SIGINT') === 1) process.exit(exitCodes.interrupted[0])
})

const exitCode = await runProgram(commands, process.argv.slice(2), version(), run)
// When all is written. What is still asked of a server (a name for completion that came too late) is not waited for.
process.stdout.write('', (error) => process.exit(error ? readerGone : exitCode))
