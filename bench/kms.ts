// How many data keys a second the key manager wraps and unwraps over HTTP, with one root key and with many, against the
// bare cryptography in the same run; and how fast a rotation is followed where many resources use the key. Run by hand:
// `node bench/kms.ts [seconds per run] [runs]`. Medians of the runs; the client runs on the same machine and takes its
// share of the processor.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { systemRandom } from '#base/random.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { unwrapKey, wrapKey } from '#crypto/wrapped-key.ts'
import { blockStorage, makeWorld, volumeCrn } from '../src/kms/testing/world.ts'

// oxlint-disable-next-line typescript/no-explicit-any -- answers of a server whose shape is known
type Json = any

const seconds = Number(process.argv[2] ?? 3)
const runs = Number(process.argv[3] ?? 5)
const parallel = 16
const keyCount = 100
const registrationCount = 2000

interface Figures {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const quantile = (sorted: readonly number[], q: number): number => sorted[Math.floor(sorted.length * q)] ?? 0

function row(name: string, figures: readonly Figures[]): void {
  const of = (pick: (figure: Figures) => number) => median(figures.map(pick))
  const [perSecond, p50, p99] = [of((f) => f.perSecond), of((f) => f.p50Ms), of((f) => f.p99Ms)]
  const spread = figures.map((f) => Math.round(f.perSecond)).toSorted((a, b) => a - b)
  say(
    `${name.padEnd(34)} ${Math.round(perSecond).toString().padStart(8)}/s   p50 ${p50.toFixed(3)} ms   p99 ${p99.toFixed(3)} ms   (${spread[0]} to ${spread.at(-1)})`,
  )
}

async function timed(workers: number, work: (turn: number) => Promise<void> | void): Promise<Figures> {
  const took: number[] = []
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
  const sorted = took.toSorted((a, b) => a - b)
  const elapsed = (performance.now() - begin) / 1000
  return { perSecond: took.length / elapsed, p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) }
}

async function repeat(name: string, workers: number, work: (turn: number) => Promise<void> | void): Promise<void> {
  const figures: Figures[] = []
  for (let run = 0; run < runs; run++) figures.push(await timed(workers, work))
  row(name, figures)
}

async function bareCrypto(): Promise<void> {
  using rootKey = SecretBytes.random(systemRandom, 32)
  const plaintext = systemRandom.bytes(32)
  const id = '00000000-0000-4000-8000-000000000000'
  const wrap = () => wrapKey({ plaintext, rootKey, keyId: id, versionId: id, aad: ['x'], random: systemRandom })
  const wrapped = wrap()
  await repeat('bare: wrap', 1, () => void wrap())
  await repeat('bare: unwrap', 1, () => unwrapKey({ wrapped, rootKey, keyId: id, aad: ['x'] })[Symbol.dispose]())
}

async function startServer(folder: string) {
  const program = resolve(import.meta.dirname, '../bin/keyward.mjs')
  const args = ['--data', folder, '--port', '0', '--nbd-port', '0', '--disk-processes', '1', '--log-level', 'warn']
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
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
  const headers = { authorization: `Bearer ${token.access_token}`, 'bluemix-instance': account.kmsInstanceId }
  return {
    async post(path: string, body: unknown): Promise<Json> {
      const response = await fetch(`${endpoints.kms}/api/v2${path}`, {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
      })
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`)
      return await response.json()
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('close', resolve))
      child.removeAllListeners('exit')
      child.kill('SIGTERM')
      await ended
    },
  }
}

async function overHttp(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-bench-'))
  const server = await startServer(folder)
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
    for (const workers of [1, parallel]) {
      const how = `${name}, ${workers} at a time`
      await repeat(`HTTP: wrap, ${how}`, workers, async (turn) => {
        await server.post(`/keys/${pick(turn).id}/actions/wrap`, { plaintext, aad: ['x'] })
      })
      await repeat(`HTTP: unwrap, ${how}`, workers, async (turn) => {
        const { id, ciphertext } = pick(turn)
        await server.post(`/keys/${id}/actions/unwrap`, { ciphertext, aad: ['x'] })
      })
    }
  }
  await server.stop()
  rmSync(folder, { recursive: true })
}

/** The key manager's side of following: each step opens, wraps and moves one registration, durably. */
async function following(): Promise<void> {
  await using world = await makeWorld()
  const { kms } = world
  const { id, crn } = await world.rootKey()
  const held: { keyCrn: string; resourceCrn: string; wrapped: Uint8Array }[] = []
  for (let i = 0; i < registrationCount; i++) {
    const resourceCrn = volumeCrn(`r006-${i}`)
    held.push({ resourceCrn, ...(await kms.port.createDataKey({ keyCrn: crn, resourceCrn, as: blockStorage })) })
  }
  const rates: number[] = []
  for (let run = 0; run < runs; run++) {
    await kms.lifecycle.rotate(world.asOwner, id, null)
    world.clock.advance(3_600_000)
    const begin = performance.now()
    for (const one of held) Object.assign(one, await kms.port.rewrapDataKey({ ...one, as: blockStorage }))
    rates.push(registrationCount / ((performance.now() - begin) / 1000))
  }
  say(
    `re-wrap and move a registration      ${Math.round(median(rates))}/s   (${registrationCount} registrations, unpaced)`,
  )
}

say(`${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, Node ${process.version}; ${runs} runs of ${seconds} s`)
await bareCrypto()
await overHttp()
await following()
