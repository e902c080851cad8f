// The control plane under load: how many volumes it makes in a second, what a page of the list costs on a small and on a
// large server, and how long it takes until every volume under a key that was disabled shows it. By hand:
// `node bench/vpc.ts [PATTERN]`. Each figure is the median of several runs, each in a data folder of its own.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { api } from '../test/harness/api.ts'
import type { Api, Json } from '../test/harness/api.ts'
import { authorization, makeRootKey, makeVolume, volumeBody } from '../test/harness/story.ts'

const runs = 3
/** Only the measurements whose name matches. */
const wanted = new RegExp(process.argv[2] ?? '.')
const program = resolve(import.meta.dirname, '../bin/keyward.mjs')

interface Running extends AsyncDisposable {
  readonly a: Api
  readonly b: Api
}

async function start(folder: string): Promise<Running> {
  const flags = ['--disable-warning=ExperimentalWarning', program, '--data', folder]
  const ports = ['--port', '0', '--nbd-port', '0', '--log-level', 'error']
  const child = spawn(process.execPath, [...flags, ...ports], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<void>((done) => child.once('close', () => done()))
  await new Promise<void>((ready, failed) => {
    child.stdout.on('data', (chunk: Buffer) => {
      if (chunk.includes('keyward is ready')) ready()
    })
    child.once('exit', () => failed(new Error('the server did not start')))
  })
  const { accounts, endpoints }: Json = JSON.parse(readFileSync(join(folder, 'bootstrap.json'), 'utf8'))
  return {
    a: api(endpoints.iam, accounts[0]),
    b: api(endpoints.iam, accounts[1]),
    async [Symbol.asyncDispose]() {
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** A folder with an authorized key of A and one volume of B under it: what the other rows are copied from. */
async function prepare(folder: string): Promise<{ keyId: string; accountB: string }> {
  await using server = await start(folder)
  const { a, b } = server
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await makeVolume(b, key.crn)
  return { keyId: key.id, accountB: b.account.id }
}

/**
 * Copies the one volume, past the quota that requests keep to: `own` rows for the account, and the rest for others of
 * 300 each. Rows only: the registrations and images of the copies are the first one's, which lists do not ask for.
 */
function copyVolumes(folder: string, accountId: string, own: number, others: number): void {
  const database = new DatabaseSync(databasePath(folder))
  const columns: Json[] = database.prepare('select name from pragma_table_info(?)').all('vpc_volume')
  const made: Readonly<Record<string, string>> = {
    id: "'r006-' || printf('%08x-0000-4000-8000-000000000000', n)",
    name: "'copy-' || n",
    crn: "'crn:v1:bluemix:public:is:us-south-1:a/' || v.account_id || '::volume:copy-' || n",
    account_id: "case when n <= $own then v.account_id else printf('%032x', n / 300) end",
    created_at: 'v.created_at + n',
    // As the server finds it for accounts that no policy names: nothing is left to follow.
    key_standing: "case when n <= $own then v.key_standing else 'unauthorized' end",
  }
  const values = columns.map(({ name }: { name: string }) => made[name] ?? `v.${name}`)
  database
    .prepare(
      `with recursive count(n) as (select 1 union all select n + 1 from count where n < $all)
       insert into vpc_volume select ${values.join(', ')} from vpc_volume v, count where v.account_id = $account`,
    )
    .run({ $own: own, $all: own + others, $account: accountId })
  database.close()
}

const databasePath = (folder: string): string => join(folder, 'keyward.db')

async function createsPerSecond(folder: string): Promise<number> {
  await prepare(folder)
  await using server = await start(folder)
  const { b } = server
  const { volumes }: Json = await b.vpc(200, 'GET', '/volumes')
  const body = volumeBody(volumes[0].encryption_key.crn)
  const count = 240
  const work = Array.from({ length: count }).values()
  const began = performance.now()
  const worker = async (): Promise<void> => {
    for (const _ of work) await b.vpc(201, 'POST', '/volumes', body)
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  return count / ((performance.now() - began) / 1000)
}

const listMs =
  (own: number, others: number) =>
  async (folder: string): Promise<number> => {
    const { accountB } = await prepare(folder)
    copyVolumes(folder, accountB, own, others)
    await using server = await start(folder)
    const times: number[] = []
    for (let i = 0; i < 120; i++) {
      const began = performance.now()
      await server.b.vpc(200, 'GET', '/volumes?limit=50')
      if (i >= 20) times.push(performance.now() - began)
    }
    return median(times)
  }

async function disableMs(folder: string): Promise<number> {
  const { keyId, accountB } = await prepare(folder)
  const count = 10_000
  copyVolumes(folder, accountB, count, 0)
  await using server = await start(folder)
  await server.b.vpc(200, 'GET', '/volumes')
  const database = new DatabaseSync(databasePath(folder), { readOnly: true })
  const usable = database.prepare("select count(*) as count from vpc_volume where key_standing = 'usable'")
  const began = performance.now()
  await server.a.kms(204, 'POST', `/keys/${keyId}/actions/disable`)
  for (;;) {
    const row: Json = usable.get()
    if (row.count === 0) break
    await setTimeout(2)
  }
  const elapsed = performance.now() - began
  database.close()
  const shown: Json = await server.b.vpc(200, 'GET', '/volumes?limit=100')
  if (shown.volumes.some(({ status }: { status: string }) => status !== 'unusable'))
    throw new Error('not all are unusable')
  return elapsed
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0

async function measure(what: string, unit: string, run: (folder: string) => Promise<number>): Promise<void> {
  if (!wanted.test(what)) return
  const values: number[] = []
  for (let i = 0; i < runs; i++) {
    const folder = mkdtempSync(join(tmpdir(), 'keyward-bench-'))
    values.push(await run(folder))
    rmSync(folder, { recursive: true, force: true })
  }
  const all = values.map((value) => value.toFixed(1)).join(', ')
  process.stdout.write(`${what.padEnd(62)} ${median(values).toFixed(1).padStart(9)} ${unit}   (${all})\n`)
}

await measure('volumes made, 8 clients', 'per second', createsPerSecond)
await measure('page of 50, 100 volumes in all', 'ms', listMs(99, 0))
await measure('page of 50, account of 300 among 100,000 volumes', 'ms', listMs(299, 99_700))
await measure('page of 50, account of 100,000 volumes, past its quota', 'ms', listMs(99_999, 0))
await measure('key disabled until 10,000 volumes show it', 'ms', disableMs)
