// The command line: a client of the public APIs with no privilege of its own. The only file here that reads the environment.

import { parseArgs } from 'node:util'
import { readBootstrap } from './bootstrap-file.ts'
import { makeTeller, TourBroken } from './teller.ts'
import { tour } from './tour.ts'

const usage = `keyward commands:
  tour [--data FOLDER]   plays the whole story against the running server: two accounts, one key, one volume
`

const write = (text: string): void => void process.stdout.write(text)

try {
  await main()
} catch (error) {
  const sentence = error instanceof TourBroken ? error.message : String(error instanceof Error ? error.stack : error)
  process.stderr.write(`\nkeyward: ${sentence}\n`)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { positionals, values } = parseArgs({
    args: process.argv.slice(2),
    options: { data: { type: 'string' } },
    allowPositionals: true,
  })
  const folder = values.data ?? process.env['KEYWARD_DATA'] ?? './keyward-data'
  if (positionals.length !== 1 || positionals[0] !== 'tour') return write(usage)
  await tour(makeTeller(write), readBootstrap(folder), folder)
}
