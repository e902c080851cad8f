// kill -9 of the whole tree while the story runs, again and again. Whatever had been acknowledged is there afterwards,
// whatever had not is whole or absent, and one sweep leaves no registration without its volume.
//
// KEYWARD_TEST_CRASHES sets the number of rounds: a few by default, 50 before a release (npm run crash).

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import type { Api, Json } from './harness/api.ts'
import { until } from './harness/api.ts'
import { startNbdsh } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { attach, authorization, connect, keyEnvelope, makeRootKey, volumeBody } from './harness/story.ts'

const rounds = Number(process.env['KEYWARD_TEST_CRASHES'] ?? 6)
const seed = Number(process.env['KEYWARD_TEST_SEED'] ?? 1)

/** xorshift32: the same seed, the same moments. */
function chance(state: number): () => number {
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}

/** What has been acknowledged so far; it may only grow true. */
interface Known {
  keys: string[]
  policies: string[]
  volumes: string[]
  deleted: string[]
}

/** Everything that a tenant may do, over and over, noting each answer that arrived. Ends when the server has gone. */
async function work({ a, b }: Server, keyCrn: string, known: Known): Promise<void> {
  for (let n = 0; ; n++) {
    const key = await a.kms(201, 'POST', '/keys', keyEnvelope({ name: `key ${n}`, extractable: false }))
    known.keys.push(key.resources[0].id)
    const policy = await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b, key.resources[0].id) })
    known.policies.push(policy.id)
    const volume = await b.vpc(201, 'POST', '/volumes', volumeBody(keyCrn))
    known.volumes.push(volume.id)
    await a.kms(204, 'POST', `/keys/${key.resources[0].id}/actions/rotate`)
    // Every third, and the oldest when there are many: an account's quota is not what this is about.
    const victim = n % 3 === 2 ? volume.id : known.volumes.length > volumesKeptMax ? known.volumes[1] : undefined
    if (victim === undefined) continue
    await until(
      () => b.vpc(200, 'GET', `/volumes/${victim}`),
      (answer) => answer.status === 'available',
    )
    known.volumes.splice(known.volumes.indexOf(victim), 1)
    await b.vpc(204, 'DELETE', `/volumes/${victim}`)
    known.deleted.push(victim)
  }
}

const volumesKeptMax = 50

/** Writes numbered blocks, flushes, and only then says the number. */
const writer = (from: number): string =>
  [
    'import struct',
    'print("writing", flush=True)',
    `n = ${from}`,
    'while True:',
    '    h.pwrite(struct.pack("<I", n) * 1024, 4096 * n); h.flush(); print(n, flush=True); n += 1',
  ].join('\n')

const checker = (upTo: number): string =>
  [
    'import struct',
    `bad = [n for n in range(${upTo}) if h.pread(4096, 4096 * n) != struct.pack("<I", n) * 1024]`,
    'print("bad", bad)',
  ].join('\n')

test(`nothing acknowledged is lost in ${rounds} kills (seed ${seed})`, async (t) => {
  const folder = tempFolder(t)
  const random = chance(seed)
  const known: Known = { keys: [], policies: [], volumes: [], deleted: [] }

  let server = await startServer(t, folder)
  const root = await makeRootKey(server.a)
  await server.a.expect(201, 'POST', '/v1/policies', { body: authorization(server.a, server.b) })
  const { id: mainId } = await server.b.vpc(201, 'POST', '/volumes', volumeBody(root.crn))
  await until(
    () => server.b.vpc(200, 'GET', `/volumes/${mainId}`),
    (volume) => volume.status === 'available',
  )
  const main = await attach(server.b, mainId)
  known.volumes.push(mainId)
  let flushed = 0

  for (let round = 1; round <= rounds; round++) {
    const connection = await connect(server.b, main.instanceId, main.attachmentId)
    const io = startNbdsh(connection.unix_uri, writer(flushed))
    const tenant = work(server, root.crn, known).then(
      () => assert.fail('the work ends only with the server'),
      (error: unknown) => error,
    )
    await io.started
    await setTimeout(100 + random() * 900)
    await server.kill()
    const end = await tenant
    // What ends the work is the cut connection; a refusal of the server's would be a finding.
    assert.ok(end instanceof TypeError, String(end))
    const numbers = (await io.ended).stdout.split('\n').filter((line) => /^\d+$/.test(line))
    flushed = Math.max(flushed, ...numbers.map((line) => Number(line) + 1))

    server = await startServer(t, folder)
    await check(server, known, root, round)
    const again = await connect(server.b, main.instanceId, main.attachmentId)
    const read = await startNbdsh(again.unix_uri, checker(flushed)).ended
    assert.equal(read.stdout.trim(), 'bad []', `round ${round}: ${read.stderr}`)
  }
  assert.equal(server.output().includes('a bug of ours'), false, server.output())
})

async function check({ a, b }: Server, known: Known, root: { id: string }, round: number): Promise<void> {
  const where = `round ${round}`
  for (const id of known.keys.slice(-20)) await a.kms(200, 'GET', `/keys/${id}/metadata`)
  for (const id of known.policies.slice(-20)) await a.expect(200, 'GET', `/v1/policies/${id}`)

  // Half-done work is finished or undone: nothing stays pending, nothing is left of what was deleted.
  const volumes = await until(
    () => allVolumes(b),
    (rows) => rows.every((row: Json) => !row.status.startsWith('pending')),
  )
  const ids = new Set(volumes.map((row: Json) => row.id))
  for (const id of known.volumes) assert.ok(ids.has(id), `${where}: volume ${id} was acknowledged`)
  for (const id of known.deleted) assert.ok(!ids.has(id), `${where}: volume ${id} was deleted`)
  assert.deepEqual(new Set(volumes.map((row: Json) => row.status)), new Set(['available']), where)

  // A request that was cut off before its answer leaves nothing: its registration goes with the first sweep.
  const wanted = volumes.map((row: Json) => row.crn).toSorted()
  await until(
    () => registrations(a, root.id),
    (crns) => isDeepStrictEqual(crns.toSorted(), wanted),
  )
}

async function allVolumes(b: Api): Promise<Json[]> {
  const rows: Json[] = []
  let start = ''
  do {
    const page = await b.vpc(200, 'GET', `/volumes?limit=100${start}`)
    rows.push(...page.volumes)
    const next = page.next ? new URL(page.next.href).searchParams.get('start') : null
    start = next ? `&start=${next}` : ''
  } while (start !== '')
  return rows
}

async function registrations(a: Api, keyId: string): Promise<string[]> {
  const { resources } = await a.kms(200, 'GET', `/keys/${keyId}/registrations?limit=5000`)
  return resources.map((row: Json) => row.resourceCrn)
}
