// How many tokens a second one process gives and verifies, without HTTP: `node bench/iam-tokens.ts`. Each figure is the
// median of several runs; what counts is their order and how they change, not the machine.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '#base/clock.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { makeSealer } from '#crypto/sealed-record.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { makeOutbox } from '#events/outbox.ts'
import { makeIam } from '#iam/iam.ts'
import { openSqlite } from '#store/sqlite.ts'

const { values } = parseArgs({
  options: { runs: { type: 'string', default: '5' }, count: { type: 'string', default: '1000' } },
})
const [runs, count] = [Number(values.runs), Number(values.count)]

const folder = mkdtempSync(join(tmpdir(), 'keyward-bench-'))
const database = await openSqlite(join(folder, 'db'))
const parts = { database, clock: systemClock, random: systemRandom, outbox: makeOutbox(systemClock, systemRandom) }
const sealer = makeSealer(SecretBytes.own(Buffer.from(systemRandom.bytes(32))), systemRandom)
const iam = await makeIam({ ...parts, sealer, log: makeLog('silent') })
const apiKey = 'an-api-key-that-only-this-bench-knows'
await iam.accounts.createAccount({ accountId: 'a'.repeat(32), name: 'bench', apiKey })

const grantType = 'urn:ibm:params:oauth:grant-type:apikey'
const issue = (clientId: string | null) => iam.tokens.issue({ grantType, apiKey, clientId })

async function perSecond(work: (n: number) => Promise<unknown>): Promise<number> {
  const began = performance.now()
  for (let n = 0; n < count; n++) await work(n)
  return (count / (performance.now() - began)) * 1000
}

const figures = new Map<string, number[]>()
const note = (what: string, figure: number): void => void figures.set(what, [...(figures.get(what) ?? []), figure])

await perSecond(() => issue(null))
for (let run = 0; run < runs; run++) {
  const tokens: string[] = []
  const issueAndKeep = async () => void tokens.push((await issue(null)).accessToken)
  note('access tokens given', await perSecond(issueAndKeep))
  note('access and refresh tokens given (one durable write each)', await perSecond(() => issue('bx')))
  note('tokens verified, each for the first time', await perSecond((n) => iam.port.authenticate(tokens[n] ?? '')))
  note('tokens verified again', await perSecond((n) => iam.port.authenticate(tokens[n] ?? '')))
}
for (const [what, rates] of figures) {
  const sorted = rates.toSorted((one, other) => one - other)
  const [median, least, most] = [sorted[sorted.length >> 1], sorted[0], sorted.at(-1)].map((rate) =>
    Math.round(rate ?? 0),
  )
  process.stdout.write(`${String(median).padStart(8)} per second  ${what} (${least} to ${most})\n`)
}
await iam.close()
await database.close()
rmSync(folder, { recursive: true })
