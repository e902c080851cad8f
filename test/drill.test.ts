// `keyward drill revoke` from outside: figures that a real revocation gives, and nothing left of it, also when it is interrupted.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Json } from './harness/api.ts'
import { keyward } from './harness/cli.ts'
import type { Keyward } from './harness/cli.ts'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'

async function signedIn(t: TestContext): Promise<{ server: Server; cli: Keyward }> {
  const server = await startServer(t, tempFolder(t))
  const cli = keyward(t)
  const said = await cli.run(['login', 'a', '--url', server.baseUrl], { input: `${server.a.account.apiKey}\n` })
  assert.equal(said.code, 0, said.stderr)
  return { server, cli }
}

/** Nothing of the drill is there any more, but a deleted key. */
async function nothingIsLeft({ a }: Server): Promise<void> {
  assert.deepEqual((await a.vpc(200, 'GET', '/volumes')).volumes, [])
  assert.deepEqual((await a.vpc(200, 'GET', '/instances')).instances, [])
  const { policies } = await a.expect(200, 'GET', `/v1/policies?account_id=${a.account.id}&type=authorization`)
  assert.deepEqual(policies, [])
  assert.deepEqual((await a.kms(200, 'GET', '/keys')).resources ?? [], [])
}

test('the drill says how long clients were served, and leaves nothing', async (t) => {
  const { server, cli } = await signedIn(t)
  const report = await cli.json('drill', 'revoke', '--volumes', '2')
  assert.equal(report.volumes, 2)
  assert.deepEqual([report.inside.state, report.inside.volumes], ['acknowledged', 2])
  const { last_served: served, first_refused: refused, writes } = report.outside
  assert.ok(writes >= 2)
  for (const { p50_seconds: p50, p99_seconds: p99, max_seconds: max } of [served, refused])
    assert.ok(p50 <= p99 && p99 <= max)
  assert.ok(refused.max_seconds >= served.max_seconds && refused.max_seconds > 0)
  const { revocations } = await server.a.expect(200, 'GET', '/keyward/v1/revocations')
  const counted = revocations.find((one: Json) => one.cause === 'key.disabled')
  assert.deepEqual([counted.key_crn, counted.duration_seconds], [report.key_crn, report.inside.duration_seconds])
  await nothingIsLeft(server)

  const text = await cli.run(['drill', 'revoke', '--volumes', '1'])
  assert.equal(text.code, 0, text.stderr)
  assert.match(text.stdout, /P50 +P99 +MAX\nlast write that was served/)
  const refusedCount = await cli.run(['drill', 'revoke', '--volumes', '0'])
  assert.equal(refusedCount.code, 2)
})

test('a drill that is interrupted, or cannot connect, leaves nothing either', async (t) => {
  const { server, cli } = await signedIn(t)
  const child = cli.start(['drill', 'revoke', '--volumes', '2'])
  let said = ''
  child.stderr?.on('data', (chunk: Buffer) => {
    said += chunk.toString()
    if (said.includes('Making a key') && !said.includes('Interrupted')) child.kill('SIGINT')
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  assert.notEqual(code, 0, said)
  assert.match(said, /Interrupted: what was made is being removed/)
  await nothingIsLeft(server)
})
