// How many data keys a second the key manager wraps and unwraps over HTTP, with one root key and with many, against the
// bare cryptography in the same run. The server has one core to itself and the client, which measures, the other; what a
// request costs the server in processor time is read from the system, and suffers less from neighbours than the rate.
// `npm run bench:kms -- --write`. How a rotation is followed: kms-rotation.ts.

import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseArgs } from 'node:util'
import { systemRandom } from '#base/random.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { unwrapKey, wrapKey } from '#crypto/wrapped-key.ts'
import { machine, median, quantile, say, writeSection } from './page.ts'
import { cpuOf } from './servers.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers of a server whose shape is known
type Json = any

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '3' },
    runs: { type: 'string', default: '5' },
    keys: { type: 'string', default: '1000' },
    /** Puts the table into docs/performance.md. */
    write: { type: 'boolean', default: false },
  },
})
const [seconds, runs] = [Number(values.seconds), Number(values.runs)]
const keyCount = Number(values.keys)
const workerCounts = [1, 16]

interface Figures {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  /** Processor time of the server per request; of this process for the bare cryptography. */
  readonly cpuMs: number
}

type Work = (turn: number) => Promise<unknown> | void

async function timed(workers: number, cpuSeconds: () => number, work: Work): Promise<Figures> {
  const took: number[] = []
  const cpuBefore = cpuSeconds()
  const begin = performance.now()
  const end = begin + seconds * 1000
  let turn = 0
  await Promise.all(
    Array.from({ length: workers }, async () => {
      while (performance.now() < end) {
        const since = performance.now()
        await work(turn++)
        took.push(performance.now() - since)
      }
    }),
  )
  const elapsed = (performance.now() - begin) / 1000
  const cpuMs = ((cpuSeconds() - cpuBefore) * 1000) / took.length
  return { perSecond: took.length / elapsed, p50Ms: quantile(took, 0.5), p99Ms: quantile(took, 0.99), cpuMs }
}

const rows: string[] = []

async function repeat(name: string, workers: number, cpuSeconds: () => number, work: Work): Promise<void> {
  await timed(workers, cpuSeconds, work)
  const figures: Figures[] = []
  for (let run = 0; run < runs; run++) figures.push(await timed(workers, cpuSeconds, work))
  const of = (pick: (figure: Figures) => number): number => median(figures.map(pick))
  const rates = figures.map(({ perSecond }) => Math.round(perSecond))
  const range = `${Math.min(...rates).toLocaleString('en')} to ${Math.max(...rates).toLocaleString('en')}`
  const cells = [
    name,
    `**${Math.round(of((one) => one.perSecond)).toLocaleString('en')}** (${range})`,
    of((one) => one.p50Ms).toFixed(3),
    of((one) => one.p99Ms).toFixed(3),
    of((one) => one.cpuMs).toFixed(3),
  ]
  rows.push(`| ${cells.join(' | ')} |`)
  say(rows.at(-1) ?? '')
}

const ownCpuSeconds = (): number => {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

async function bareCrypto(): Promise<void> {
  using rootKey = SecretBytes.random(systemRandom, 32)
  const plaintext = systemRandom.bytes(32)
  const id = '00000000-0000-4000-8000-000000000000'
  const wrap = () => wrapKey({ plaintext, rootKey, keyId: id, versionId: id, aad: ['x'], random: systemRandom })
  const wrapped = wrap()
  await repeat('bare cryptography: wrap', 1, ownCpuSeconds, () => void wrap())
  await repeat('bare cryptography: unwrap', 1, ownCpuSeconds, () =>
    unwrapKey({ wrapped, rootKey, keyId: id, aad: ['x'] })[Symbol.dispose](),
  )
}

/** The whole program, all of its threads on the first core; this process keeps to the second. */
async function startServer(folder: string) {
  const program = resolve(import.meta.dirname, '../bin/keyward.mjs')
  const settings = ['--data', folder, '--port', '0', '--nbd-port', '0', '--disk-processes', '1', '--log-level', 'warn']
  const command = ['-c', '0', process.execPath, '--disable-warning=ExperimentalWarning', program, ...settings]
  spawnSync('taskset', ['-cp', '1', String(process.pid)])
  const child = spawn('taskset', command, { stdio: ['ignore', 'pipe', 'inherit'] })
  await new Promise<void>((ready, failed) => {
    child.stdout.on('data', (chunk: Buffer) => chunk.toString().includes('keyward is ready') && ready())
    child.once('exit', (code) => failed(new Error(`the server ended with ${code}`)))
  })
  const { accounts, endpoints } = JSON.parse(readFileSync(join(folder, 'bootstrap.json'), 'utf8'))
  const [account] = accounts
  const form = new URLSearchParams({
    grant_type: 'urn:ibm:params:oauth:grant-type:apikey',
    apikey: account.apiKey,
  })
  const token: Json = await (await fetch(`${endpoints.iam}/identity/token`, { method: 'POST', body: form })).json()
  const agent = new Agent({ keepAlive: true, maxSockets: Math.max(...workerCounts) })
  const headers = {
    authorization: `Bearer ${token.access_token}`,
    'bluemix-instance': account.kmsInstanceId,
    'content-type': 'application/json',
  }
  return {
    cpuSeconds: () => cpuOf(pidsOf(child.pid ?? 0)),
    async post(path: string, body: unknown): Promise<Json> {
      const sent = request(`${endpoints.kms}/api/v2${path}`, { method: 'POST', headers, agent })
      sent.end(JSON.stringify(body))
      const response = await new Promise<Json>((answered, failed) => sent.on('response', answered).on('error', failed))
      const answer = await text(response)
      if (response.statusCode >= 300) throw new Error(`${path}: ${response.statusCode} ${answer}`)
      return JSON.parse(answer)
    },
    async stop() {
      agent.destroy()
      const ended = new Promise((resolve) => child.once('close', resolve))
      child.removeAllListeners('exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

/** bin/keyward.mjs starts the program in the Node of the lock file, which may be a process of its own. */
function pidsOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean)
  return [pid, ...children.map(Number).flatMap(pidsOf)]
}

async function overHttp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-bench-'))
  const server = await startServer(folder)
  try {
    const type = 'application/vnd.ibm.kms.key+json'
    const keys: { id: string; ciphertext: string }[] = []
    const plaintext = Buffer.from(systemRandom.bytes(32)).toString('base64')
    for (let i = 0; i < keyCount; i++) {
      const body = {
        metadata: { collectionType: type, collectionTotal: 1 },
        resources: [{ type, name: `bench ${i}`, extractable: false }],
      }
      const { id } = (await server.post('/keys', body)).resources[0]
      const { ciphertext } = await server.post(`/keys/${id}/actions/wrap`, { plaintext, aad: ['x'] })
      keys.push({ id, ciphertext })
    }
    for (const [name, used] of [
      ['one key', keys.slice(0, 1)],
      [`${keyCount} keys`, keys],
    ] as const) {
      const pick = (turn: number) => {
        const key = used[turn % used.length]
        if (!key) throw new Error('there are keys')
        return key
      }
      for (const workers of workerCounts) {
        const how = `${name}, ${workers} at a time`
        await repeat(`wrap, ${how}`, workers, server.cpuSeconds, (turn) =>
          server.post(`/keys/${pick(turn).id}/actions/wrap`, { plaintext, aad: ['x'] }),
        )
        await repeat(`unwrap, ${how}`, workers, server.cpuSeconds, (turn) => {
          const { id, ciphertext } = pick(turn)
          return server.post(`/keys/${id}/actions/unwrap`, { ciphertext, aad: ['x'] })
        })
      }
    }
  } finally {
    await server.stop()
    rmSync(folder, { recursive: true })
  }
}

await bareCrypto()
await overHttp()
const table = ['| operation | per second | p50 ms | p99 ms | processor ms each |', '|---|---|---|---|---|', ...rows]
const page = `${machine()}; the server on one core; ${runs} runs of ${seconds} s.\n\n${table.join('\n')}`
say(page)
if (values.write) writeSection('bench:kms', page)
