// What the control plane pays for PostgreSQL: the same transactions and reads on both engines, in turn, in one run.
// `npm run bench:store -- --write`. PostgreSQL is on this machine, over a unix socket: a network adds its round trips,
// of which a transaction here has seven.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '#base/clock.ts'
import { systemRandom } from '#base/random.ts'
import { makeOutbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { readMeta, writeMeta } from '#store/meta.ts'
import { openPostgres } from '#store/postgres.ts'
import { openSqlite } from '#store/sqlite.ts'
import { startPostgres } from '../test/harness/postgres.ts'
import { machine, median, say, writeSection } from './page.ts'

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    /** Puts the table into docs/performance.md. */
    write: { type: 'boolean', default: false },
  },
})
const [seconds, rounds] = [Number(values.seconds), Number(values.rounds)]

const outbox = makeOutbox(systemClock, systemRandom)
const event = {
  type: 'kms.key.expired',
  accountId: 'a'.repeat(32),
  keyCrn: 'crn',
  keyType: 'root_key',
  expiresAt: 0,
} as const

/** A change as services make them: something read, something written, and its event. */
const change = (database: Database, n: number) =>
  database.transaction(async (tx) => {
    await tx
      .selectFrom('store_meta')
      .select('name')
      .where('name', '=', `fact ${n % 1000}`)
      .execute()
    await writeMeta(tx, `fact ${n % 1000}`, systemRandom.bytes(64))
    await outbox.append(tx, event)
  })
const look = (database: Database, n: number) => readMeta(database, `fact ${n % 1000}`)

const workloads = [
  { name: 'transactions, one caller', callers: 1, work: change },
  { name: 'transactions, 16 callers', callers: 16, work: change },
  { name: 'point reads, one caller', callers: 1, work: look },
  { name: 'point reads, 16 callers', callers: 16, work: look },
] as const

async function rate(database: Database, { callers, work }: (typeof workloads)[number]): Promise<number> {
  let done = 0
  const begin = performance.now()
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() - begin < seconds * 1000) await work(database, done++)
    }),
  )
  return (done * 1000) / (performance.now() - begin)
}

const folder = mkdtempSync(join(tmpdir(), 'keyward-bench-'))
const server = await startPostgres()
const embedded = await openSqlite(join(folder, 'keyward.db'))
const url = await server.createDatabase()
const postgres = await openPostgres({ url })
const rows: string[] = []
try {
  for (const workload of workloads) {
    const rates: { readonly embedded: number; readonly postgres: number }[] = []
    for (let round = 0; round <= rounds; round += 1) {
      const one = { embedded: await rate(embedded, workload), postgres: await rate(postgres, workload) }
      // The first prepares the statements.
      if (round > 0) rates.push(one)
    }
    const cell = (engine: 'embedded' | 'postgres'): string => {
      const all = rates.map((one) => Math.round(one[engine])).sort((a, b) => a - b)
      const said = (value: number | undefined) => (value ?? 0).toLocaleString('en')
      return `**${said(Math.round(median(all)))}** (${said(all[0])} to ${said(all.at(-1))})`
    }
    const ratio = median(rates.map((one) => one.postgres / one.embedded))
    rows.push(`| ${workload.name} | ${cell('embedded')} | ${cell('postgres')} | ${ratio.toFixed(2)} |`)
    say(rows.at(-1) ?? '')
  }
} finally {
  await embedded.close()
  await postgres.close()
  await server[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
}
const page = `${machine()}; ${rounds} rounds of ${seconds} s; a second, medians and ranges.

| | embedded | PostgreSQL | ratio |
|---|---|---|---|
${rows.join('\n')}
`
if (values.write) writeSection('bench:store', page)
