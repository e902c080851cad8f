// Signing in and out. The API key comes by prompt, standard input or environment, and never as an argument, which every
// user of the machine can read.

import { resolve } from 'node:path'
import { checkUrl, trust, usualUrl } from './context.ts'
import type { Cli } from './context.ts'
import { command, flag, text } from './command.ts'
import { Failure } from './failure.ts'
import { done } from './shown.ts'
import { checkTargetName } from './targets.ts'
import { exchange } from './tokens.ts'

export const loginCommands = [
  command({
    name: 'login',
    summary: 'Sign in to an account, as a target of that name',
    description:
      'The API key is asked for without showing it, or read from standard input, or taken from KEYWARD_API_KEY. It is kept in a file that only you can read, with the token that it was last exchanged for; `keyward logout` removes it.',
    args: [{ name: 'name', help: 'how to call it; `default` where nothing is said', kind: 'target', optional: true }],
    options: {
      url: text('URL', `the server; ${usualUrl}, KEYWARD_URL, or as the target was before`),
      ca: text('FILE', 'certificates to trust beside the usual ones (PEM)', { kind: 'file' }),
      insecure: flag('send the API key over plain HTTP to another machine'),
    },
    examples: [
      ['login', 'Ask for the key'],
      ['login prod --url https://keyward.example < key.txt', 'Read it from a file'],
    ],
    local: true,
    async run(cli, given) {
      const name = given.name ?? cli.globals.target ?? 'default'
      checkTargetName(name)
      const before = cli.targets.names().includes(name) ? cli.targets.read(name) : null
      const url = checkUrl(given.url ?? cli.environment['KEYWARD_URL'] ?? before?.url ?? usualUrl, given.insecure)
      // Kept as it is from everywhere.
      const ca = given.ca === undefined ? (before?.ca ?? null) : resolve(given.ca)
      trust(ca)
      const apiKey = await apiKeyOf(cli, url)
      const { value, renewAtMs, ...identity } = await exchange(url, apiKey, cli.clock.now())
      cli.targets.write({ name, url, apiKey, ca, ...identity, token: { value, renewAtMs } })
      cli.targets.use(name)
      const { accountId, iamId, userName } = identity
      const body = { target: name, url, account_id: accountId, iam_id: iamId, name: userName }
      return done(`Signed in to account ${accountId} as ${userName}: target ${name}.`, body, name)
    },
  }),
  command({
    name: 'logout',
    summary: 'Forget a target, with its API key',
    description: 'The API key itself stays good: delete it in the account where it was made to end it.',
    args: [{ name: 'name', help: 'the current one where nothing is said', kind: 'target', optional: true }],
    local: true,
    async run(cli, given) {
      const name = given.name ?? cli.target().name
      cli.targets.remove(name)
      const next = cli.targets.current()
      return done(`Forgot ${name}.${next === null ? '' : ` The current target is ${next} now.`}`)
    },
  }),
]

async function apiKeyOf(cli: Cli, url: string): Promise<string> {
  const given = cli.environment['KEYWARD_API_KEY']
  const apiKey = given
    ? given
    : cli.asker.canAsk
      ? await cli.asker.secret(`API key for ${url}: `)
      : await cli.asker.input()
  if (apiKey.trim() !== '') return apiKey.trim()
  throw new Failure('usage', 'there is no API key', { next: 'type it, or pipe it in: keyward login < FILE' })
}
