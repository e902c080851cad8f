// The command line: a client of the public APIs with no privilege of its own. The only file here that reads the environment.

import { parseArgs } from 'node:util'
import { accountText, createAccount } from './account.ts'
import { readBootstrap } from './bootstrap-file.ts'
import { makeTeller, TourBroken } from './teller.ts'
import { tour } from './tour.ts'
import { verifyFile } from './verify.ts'

const usage = `keyward commands:
  tour [--data FOLDER]   plays the whole story against the running server: two accounts, one key, one volume
  account create NAME [--data FOLDER] [--json]
                         makes an account, whose owner's API key is shown once; for whoever runs the server
  verify FILE [--key VERIFIER]
                         whether a signed audit log holds the record in FILE; needs no server
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
    options: { data: { type: 'string' }, json: { type: 'boolean' }, key: { type: 'string' } },
    allowPositionals: true,
  })
  const folder = values.data ?? process.env['KEYWARD_DATA'] ?? './keyward-data'
  const [command, verb, name, ...rest] = positionals
  if (command === 'tour' && verb === undefined) return await tour(makeTeller(write), readBootstrap(folder), folder)
  if (command === 'verify' && verb && name === undefined) return write(verifyFile(verb, values.key))
  if (command !== 'account' || verb !== 'create' || !name || rest.length > 0) return write(usage)
  const account = await createAccount(name, readBootstrap(folder), folder)
  write(values.json ? `${JSON.stringify(account, null, 2)}\n` : accountText(account))
}
