// Starts and stops the process; the only file that reads the environment.

import { availableParallelism } from 'node:os'
import { Fault } from '#base/fault.ts'
import { makeLog } from '#base/log.ts'
import { linux } from '#disk/system.ts'
import { commandOf, commandsHelp } from './commands.ts'
import { compose } from './compose.ts'
import type { Running } from './compose.ts'
import { helpText, parseConfig } from './config.ts'

const oneLine = 'keyward: block storage whose keys may belong to someone else'
const say = (text: string): void => void process.stdout.write(`${text}\n`)

try {
  await main()
} catch (error) {
  // A fault is a sentence for the operator, with its causes; anything else is a bug, with its trace.
  process.stderr.write(
    `keyward: ${error instanceof Fault ? chain(error) : String(error instanceof Error ? error.stack : error)}\n`,
  )
  process.exit(1)
}

async function main(): Promise<void> {
  // Files that we make are ours alone, whatever the shell's mask is.
  process.umask(0o077)
  const args = process.argv.slice(2)
  const command = commandOf(args)
  const config = parseConfig(command?.args ?? args, process.env, availableParallelism())
  if (config === 'help') return say(`${oneLine}\n\n${commandsHelp}\n\nsettings\n${helpText()}`)
  const log = makeLog(config.logLevel)
  // The master key and root keys live in this process; its disk processes see to themselves.
  if (!linux?.forbidCoreFiles()) log.warn('core files could not be forbidden')
  if (command) return await command.run({ ...config, ...command.options }, say)
  process.on('uncaughtException', (error) => {
    log.fatal({ err: error }, 'a bug of ours ends the process; what was acknowledged is safe')
    process.exit(1)
  })
  const running = await compose(config, log)

  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.error({ err: error }, 'did not stop cleanly; what was acknowledged is safe')
        process.exit(1)
      },
    )
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  // Last, so that whoever waits for these lines may stop us at once.
  announce(running)
}

function announce({ endpoints, dataFolder, firstAccounts }: Running): void {
  if (firstAccounts) {
    say('First run: two accounts were made. Their API keys are shown this once and kept in bootstrap.json.\n')
    for (const { name, id, apiKey } of firstAccounts)
      say(`  ${name.padEnd(18)} account ${id}\n  ${''.padEnd(18)} API key ${apiKey}\n`)
  }
  for (const [name, url] of Object.entries(endpoints)) if (url) say(`  ${name.padEnd(18)} ${url}`)
  say(`  ${'data'.padEnd(18)} ${dataFolder}\n\nkeyward is ready. Try: npm run tour`)
}

function chain(error: Error): string {
  return error.cause instanceof Error ? `${error.message}: ${chain(error.cause)}` : error.message
}
