// The control plane under load: how many volumes it makes in a second, what a page of the list costs on a small and on a
// large server, and how long it takes until every volume under a key that was disabled shows it, and what others notice of
// that. `npm run bench:vpc`; README.md in this folder says how to read it. Every run has a server and a folder of its own.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Json } from '../test/harness/api.ts'
import { authorization, makeRootKey, makeVolume, volumeBody, volumeIs } from '../test/harness/story.ts'
import { copyVolumes, databasePath } from './vpc-rows.ts'
import { startControlPlane } from './vpc-server.ts'
import type { Running } from './vpc-server.ts'
import { machine, writeSection } from './page.ts'

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '3' },
    /** A regular expression on the names of measurements. */
    only: { type: 'string', default: '.' },
    /** Puts the table into docs/performance.md. */
    write: { type: 'boolean', default: false },
  },
})

/** A folder with an authorized key of A and one volume of B under it: what the other rows are copied from. */
async function prepare(folder: string): Promise<{ keyId: string; keyCrn: string; accountB: string }> {
  await using server = await startControlPlane(folder)
  const { a, b } = server
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await makeVolume(b, key.crn)
  return { keyId: key.id, keyCrn: key.crn, accountB: b.account.id }
}

/** Requests until all of them are answered; with `untilUsable`, until their images are made too. */
const createsPerSecond = (clients: number, untilUsable: boolean) => async (folder: string) => {
  const { keyCrn } = await prepare(folder)
  await using server = await startControlPlane(folder)
  const { b } = server
  await b.vpc(200, 'GET', '/volumes')
  const count = clients === 1 ? 60 : 240
  const work = Array.from({ length: count }).values()
  const began = performance.now()
  const ids: string[] = []
  const worker = async (): Promise<void> => {
    for (const _ of work) ids.push((await b.vpc(201, 'POST', '/volumes', volumeBody(keyCrn))).id)
  }
  await Promise.all(Array.from({ length: clients }, worker))
  if (untilUsable) for (const id of ids) await volumeIs(b, id, 'available')
  return [count / ((performance.now() - began) / 1000)]
}

const listMs = (own: number, others: number, path: string) => async (folder: string) => {
  const { accountB } = await prepare(folder)
  copyVolumes(folder, accountB, own, others)
  await using server = await startControlPlane(folder)
  return [median(await timesOf(120, () => server.b.vpc(200, 'GET', path)))]
}

/** The last page: whatever its place in the order, a page begins where its token says. */
const lastPageMs = (own: number) => async (folder: string) => {
  const { accountB } = await prepare(folder)
  copyVolumes(folder, accountB, own, 0)
  const start = Buffer.from(`${oldest(folder) + 60}.r006-0`).toString('base64url')
  await using server = await startControlPlane(folder)
  return [median(await timesOf(120, () => server.b.vpc(200, 'GET', `/volumes?limit=50&start=${start}`)))]
}

async function timesOf(count: number, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const began = performance.now()
    await work()
    if (i >= count / 6) times.push(performance.now() - began)
  }
  return times
}

/** Until all show it, and the slowest percent of what one other client and one that writes waited for meanwhile. */
async function disabling(folder: string): Promise<number[]> {
  const { keyId, accountB } = await prepare(folder)
  copyVolumes(folder, accountB, 10_000, 0)
  await using server = await startControlPlane(folder)
  await server.b.vpc(200, 'GET', '/volumes')
  const calm = await meanwhile(server, () => setTimeout(2000))
  using database = new DatabaseSync(databasePath(folder), { readOnly: true })
  const usable = database.prepare("select count(*) as count from vpc_volume where key_standing = 'usable'")
  let elapsed = 0
  const busy = await meanwhile(server, async () => {
    const began = performance.now()
    await server.a.kms(204, 'POST', `/keys/${keyId}/actions/disable`)
    for (;;) {
      const row: Json = usable.get()
      if (row.count === 0) break
      await setTimeout(2)
    }
    elapsed = performance.now() - began
  })
  const shown: Json = await server.b.vpc(200, 'GET', '/volumes?limit=100')
  if (shown.volumes.some(({ status }: Json) => status !== 'unusable')) throw new Error('not all are unusable')
  return [elapsed, percentile(busy, 0.99), Math.max(...busy), percentile(calm, 0.99)]
}

/** How long requests of others took while the work lasted: one reads, one writes. */
async function meanwhile({ a, b }: Running, work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  const state = { isOver: false }
  const client = async (ask: () => Promise<unknown>): Promise<void> => {
    while (!state.isOver) {
      const began = performance.now()
      await ask()
      times.push(performance.now() - began)
      await setTimeout(5)
    }
  }
  let count = 0
  const clients = [
    client(() => b.vpc(200, 'GET', '/volumes?limit=10')),
    client(() =>
      a.vpc(201, 'POST', '/vpcs', { name: `n${count++}` }).then(({ id }) => a.vpc(204, 'DELETE', `/vpcs/${id}`)),
    ),
  ]
  await work()
  state.isOver = true
  await Promise.all(clients)
  return times
}

const oldest = (folder: string): number => {
  using database = new DatabaseSync(databasePath(folder), { readOnly: true })
  const row: Json = database.prepare('select min(created_at) as at from vpc_volume').get()
  return row.at
}

const percentile = (values: readonly number[], part: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(Math.floor(values.length * part), values.length - 1)] ?? 0

const median = (values: readonly number[]): number => percentile(values, 0.5)

interface Measurement {
  readonly name: string
  /** What each figure is, and its unit. */
  readonly figures: readonly string[]
  run(folder: string): Promise<readonly number[]>
}

const page = '/volumes?limit=50'
const measurements: readonly Measurement[] = [
  { name: 'volumes made by 1 client', figures: ['per second'], run: createsPerSecond(1, false) },
  { name: 'volumes made by 8 clients', figures: ['per second'], run: createsPerSecond(8, false) },
  { name: 'volumes made by 8 clients, until available', figures: ['per second'], run: createsPerSecond(8, true) },
  { name: 'page of 50, 100 volumes in all', figures: ['ms'], run: listMs(99, 0, page) },
  { name: 'page of 50, account of 300 among 100,000 volumes', figures: ['ms'], run: listMs(299, 99_700, page) },
  { name: 'page of 50, account of 100,000 volumes', figures: ['ms'], run: listMs(99_999, 0, page) },
  { name: 'its last page', figures: ['ms'], run: lastPageMs(99_999) },
  {
    name: 'page of 50 of one zone, account of 100,000 volumes',
    figures: ['ms'],
    run: listMs(99_999, 0, `${page}&zone.name=us-south-1`),
  },
  {
    name: 'key disabled until 10,000 volumes show it',
    figures: ['ms', 'ms, slowest percent of others meanwhile', 'ms, slowest of others', 'ms, slowest percent before'],
    run: disabling,
  },
]

const lines = ['| | median | of |', '|---|---|---|']
for (const { name, figures, run } of measurements) {
  if (!new RegExp(options.only).test(name)) continue
  const rounds: (readonly number[])[] = []
  for (let i = 0; i < Number(options.rounds); i++) {
    const folder = mkdtempSync(join(tmpdir(), 'keyward-bench-'))
    try {
      rounds.push(await run(folder))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
  for (const [i, unit] of figures.entries()) {
    const values = rounds.map((round) => round[i] ?? 0)
    const all = values.map((value) => value.toFixed(1)).join(', ')
    const line = `| ${i === 0 ? name : ''} | **${median(values).toFixed(1)}** ${unit} | ${all} |`
    lines.push(line)
    process.stdout.write(`${line}\n`)
  }
}
if (options.write) writeSection('bench:vpc', `${machine()}; ${options.rounds} rounds.\n\n${lines.join('\n')}`)
