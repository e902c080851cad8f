// The story on PostgreSQL: what was acknowledged outlives the database server, whoever took its place, and whoever was
// replaced. The suites of the rooms run on it by `npm run test:postgres`; a few of them do here.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import type { TestContext } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { Client } from 'pg'
import { until } from './harness/api.ts'
import type { Json } from './harness/api.ts'
import { nbdsh, startNbdsh, tryNbdsh } from './harness/nbd.ts'
import { startPostgres } from './harness/postgres.ts'
import type { Postgres } from './harness/postgres.ts'
import { projectFolder, runToEnd, startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { attach, authorization, connect, keyEnvelope, makeRootKey, makeVolume, volumeIs } from './harness/story.ts'

let postgres: Postgres
before(async () => {
  postgres = await startPostgres()
})
after(() => postgres[Symbol.asyncDispose]())

const start = (t: TestContext, url: string, folder = tempFolder(t)): Promise<Server> =>
  startServer(t, folder, ['--database', url])

async function ask(url: string, text: string): Promise<void> {
  const client = new Client({ connectionString: url })
  await client.connect()
  await client.query(text)
  await client.end()
}

/** Makes keys until it is told to stop, and notes those that were acknowledged; the database may be away meanwhile. */
function makeKeys({ a }: Server) {
  const acknowledged: string[] = []
  const stopped = new AbortController()
  const done = (async () => {
    for (let n = 0; !stopped.signal.aborted; n += 1) {
      const body = keyEnvelope({ name: `key ${n}`, extractable: false })
      const { status, body: answer } = await a.send('POST', '/api/v2/keys', {
        body,
        headers: { 'bluemix-instance': a.account.kmsInstanceId },
      })
      // What was under way may not say that it failed, nor that it came to pass.
      if (status === 201) acknowledged.push(answer.resources[0].id)
      else assert.equal(status, 503, JSON.stringify(answer))
    }
  })()
  return {
    acknowledged,
    async stop(): Promise<void> {
      stopped.abort()
      await done
    },
  }
}

const keyIds = async ({ a }: Server): Promise<ReadonlySet<string>> => {
  const ids = new Set<string>()
  for (;;) {
    const { resources = [] } = await a.kms(200, 'GET', `/keys?limit=5000&offset=${ids.size}`)
    for (const { id } of resources as Json[]) ids.add(id)
    if (resources.length === 0) return ids
  }
}

const serves = ({ a }: Server): Promise<Json> =>
  until(
    () => a.send('GET', '/api/v2/keys', { headers: { 'bluemix-instance': a.account.kmsInstanceId } }),
    ({ status }) => status === 200,
  )

test('nothing acknowledged is lost when the database server is killed under work, and the server mends by itself', async (t) => {
  const server = await start(t, await postgres.createDatabase())
  const { a, b } = server
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b, key.id) })
  const volume = await makeVolume(b, key.crn)
  const work = makeKeys(server)
  for (let round = 0; round < 3; round += 1) {
    const before = work.acknowledged.length
    await until(
      () => Promise.resolve(work.acknowledged.length),
      (count) => count > before + 5,
    )
    await postgres.kill()
    await setTimeout(200)
    await postgres.start()
    await serves(server)
  }
  await work.stop()
  const present = await keyIds(server)
  assert.deepEqual(
    work.acknowledged.filter((id) => !present.has(id)),
    [],
  )
  // And keys still have the last word.
  await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
  await volumeIs(b, volume.id, 'unusable')
  assert.equal(await server.stop(), 0)
})

test('without the database no data key outlives its lease: I/O ends, and comes back with the database', async (t) => {
  await using own = await startPostgres()
  const server = await start(t, await own.createDatabase())
  const { a, b } = server
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b, key.id) })
  const volume = await makeVolume(b, key.crn)
  const { instanceId, attachmentId, connection } = await attach(b, volume.id)
  const io = startNbdsh(
    connection.unix_uri,
    'h.pwrite(b"w" * 4096, 0); h.flush(); print("on", flush=True)\nwhile True: h.pread(4096, 0)',
  )
  await io.started
  await own.kill()
  // By the lease alone: nobody can ask whether the key still stands.
  assert.notEqual((await io.ended).status, 0)
  assert.notEqual(tryNbdsh(connection.unix_uri, 'h.pread(4096, 0)').status, 0)
  await own.start()
  await serves(server)
  const read = await until(
    async () => {
      const { status, body } = await b.send(
        'POST',
        `/keyward/v1/instances/${instanceId}/volume_attachments/${attachmentId}/connection`,
      )
      return status === 201 ? tryNbdsh(body.unix_uri, 'print(h.pread(4096, 0) == b"w" * 4096)') : null
    },
    (ran) => ran?.status === 0,
  )
  assert.equal(read?.stdout.trim(), 'True')
  await server.stop()
})

test('a standby takes the place of a server that was killed: nothing acknowledged is lost', async (t) => {
  await using first = await startPostgres()
  await using second = await first.startStandby()
  // An address that moves, as a balancer's does.
  const address = join(tempFolder(t), 'address')
  symlinkSync(first.folder, address)
  await first.createDatabase()
  const url = new URL(first.urlOf('postgres'))
  url.searchParams.set('host', address)
  const server = await start(t, url.href)
  const work = makeKeys(server)
  await until(
    () => Promise.resolve(work.acknowledged.length),
    (count) => count > 10,
  )
  await first.kill()
  second.promote()
  symlinkSync(second.folder, `${address}.new`)
  renameSync(`${address}.new`, address)
  await serves(server)
  const before = work.acknowledged.length
  await until(
    () => Promise.resolve(work.acknowledged.length),
    (count) => count > before + 5,
  )
  await work.stop()
  const present = await keyIds(server)
  assert.deepEqual(
    work.acknowledged.filter((id) => !present.has(id)),
    [],
  )
  await server.stop()
})

test('a database has one server: a second is refused, and what was replaced writes no more and ends', async (t) => {
  const url = await postgres.createDatabase()
  const first = await start(t, url)
  const refused = await runToEnd(['--data', tempFolder(t), '--port', '0', '--nbd-port', '0', '--database', url])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /the database is in use by another server/)
  await serves(first)

  // The first loses its hold, as behind a network that parted, and another finds the database free.
  await ask(url, `update store_meta set value = 'another'::bytea where name = 'writer'`)
  // It may have ended of itself before it can answer.
  const status = await first.a
    .send('POST', '/api/v2/keys', {
      body: keyEnvelope({ name: 'too late', extractable: false }),
      headers: { 'bluemix-instance': first.a.account.kmsInstanceId },
    })
    .then(
      (answer) => answer.status,
      () => 503,
    )
  assert.equal(status, 503)
  await until(
    () =>
      fetch(first.baseUrl).then(
        () => 'serves',
        () => 'gone',
      ),
    (state) => state === 'gone',
  )
  const next = await start(t, url, first.folder)
  const names: string[] = (await next.a.kms(200, 'GET', '/keys')).resources?.map((key: Json) => key.name) ?? []
  assert.deepEqual(names, [])
  await next.stop()
})

test('an embedded database moves into PostgreSQL whole, once, and the server goes on with it', async (t) => {
  const folder = tempFolder(t)
  const url = await postgres.createDatabase()
  const before = await startServer(t, folder)
  const key = await makeRootKey(before.a, 'ключ \u{e000} key')
  await before.a.expect(201, 'POST', '/v1/policies', { body: authorization(before.a, before.b, key.id) })
  const volume = await makeVolume(before.b, key.crn)
  const { instanceId, attachmentId, connection } = await attach(before.b, volume.id)
  nbdsh(connection.unix_uri, 'h.pwrite(b"m" * 4096, 0); h.flush()')
  assert.equal(await before.stop(), 0)

  const move = () => runToEnd(['database', 'move', '--data', folder, '--database', url])
  const moved = await move()
  assert.equal(moved.code, 0, moved.stderr)
  assert.match(moved.stdout, /^\d+ rows were moved/)
  assert.match((await move()).stderr, /there is no database in/)
  const lost = await runToEnd(['--data', folder, '--port', '0', '--nbd-port', '0'])
  assert.match(lost.stderr, /their database is missing or empty/)

  const server = await start(t, url, folder)
  const { a, b } = server
  const again = await connect(b, instanceId, attachmentId)
  assert.equal(nbdsh(again.unix_uri, 'print(h.pread(4096, 0) == b"m" * 4096)'), 'True')
  assert.equal((await a.kms(200, 'GET', `/keys/${key.id}/metadata`)).resources[0].name, 'ключ \u{e000} key')
  // Numbers and counts go on where they were.
  const other = await makeVolume(b, key.crn)
  assert.equal((await b.vpc(200, 'GET', '/volumes')).total_count, 2)
  await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
  for (const { id } of [volume, other]) await volumeIs(b, id, 'unusable')
  await server.stop()

  const second = tempFolder(t)
  await (await startServer(t, second)).stop()
  const refused = await runToEnd(['database', 'move', '--data', second, '--database', url])
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /holds what a server keeps/)
})

test('what does not belong together, or would lose what it acknowledges, is refused in a sentence', async (t) => {
  const url = await postgres.createDatabase()
  const run = (folder: string, database: string) =>
    runToEnd(['--data', folder, '--port', '0', '--nbd-port', '0', '--database', database])
  const embedded = tempFolder(t)
  await (await startServer(t, embedded, ['--port', '0'])).stop()
  const cases: readonly (readonly [string, string, RegExp])[] = [
    [embedded, url, /keyward\.db is the database of this folder/],
    [tempFolder(t), postgres.urlOf('nothing'), /there is no such database/],
    [tempFolder(t), url.replace('keyward@', 'nobody@'), /does not let us in/],
    [tempFolder(t), url.replace(/host=.*/, `host=${tempFolder(t)}`), /cannot be reached/],
  ]
  for (const [folder, database, sentence] of cases) {
    const { code, stderr } = await run(folder, database)
    assert.equal(code, 1, stderr)
    assert.match(stderr, sentence)
    assert.doesNotMatch(stderr, /\n.*at /)
  }
  const name = new URL(url).pathname.slice(1)
  await ask(url, `alter database ${name} set synchronous_commit = off`)
  assert.match((await run(tempFolder(t), url)).stderr, /loses acknowledged writes: synchronous_commit is off/)
})

test('a name that no index of PostgreSQL can hold is refused, and is not an error of ours', async (t) => {
  const { a } = await start(t, await postgres.createDatabase())
  // Of letters that do not repeat: what is compressed fits.
  const name = String.fromCodePoint(...Array.from({ length: 1000 }, (_, i) => 0x4e00 + ((i * 7919) % 20_000)))
  const groups = `/v2/groups?account_id=${a.account.id}`
  const refused = await a.expect(400, 'POST', groups, { body: { name } })
  assert.match(refused.errors[0].message, /longer than the database can look up/)
  await a.expect(201, 'POST', groups, { body: { name: name.slice(0, 500) } })
})

test('the suites of the tables pass on it as they do on the embedded database', (t) => {
  const suites = [
    'src/kms/keys.test.ts',
    'src/kms/registrations.test.ts',
    'src/iam/policies.test.ts',
    'src/events/*.test.ts',
  ]
  const flags = ['--disable-warning=ExperimentalWarning', '--test']
  const { NODE_TEST_CONTEXT: _, ...environment } = process.env
  const { status, stdout } = spawnSync(process.execPath, [...flags, ...suites], {
    cwd: projectFolder,
    encoding: 'utf8',
    env: { ...environment, KEYWARD_TEST_DATABASE: postgres.urlOf('postgres') },
  })
  t.diagnostic(stdout.slice(-400))
  assert.equal(status, 0, stdout)
})
