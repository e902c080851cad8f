// The service level of revocations over HTTP: what ended a right, and how long it took until nothing was served, for the key's
// owner; with real volumes, real clients, a disk process that does not answer, and a server that is killed.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { nbdsh, startNbdsh, tlsUri } from './harness/nbd.ts'
import { diskProcesses } from './harness/processes.ts'
import { afterwards, startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { attach, authorization, makeRootKey, makeVolume } from './harness/story.ts'

const write = 'h.pwrite(b"x" * 4096, 0); h.flush()'
const writeOn = `print("on", flush=True)\nwhile True:\n  ${write}`

/** The newest revocation of the key, once it is over. */
const ended = async (owner: Api, key: Json): Promise<Json> => {
  const { revocations } = await until(
    () => owner.expect(200, 'GET', '/keyward/v1/revocations'),
    (answer) => answer.revocations.some((one: Json) => one.key_crn === key.crn && one.state !== 'under-way'),
  )
  return revocations.find((one: Json) => one.key_crn === key.crn)
}

async function setAccount({ baseUrl, folder }: Server, accountId: string, isDisabled: boolean): Promise<void> {
  const token = readFileSync(join(folder, 'operator.token'), 'utf8').trim()
  const url = `${baseUrl}/keyward/v1/operator/accounts/${accountId}/disable`
  const response = await fetch(url, {
    method: isDisabled ? 'POST' : 'DELETE',
    headers: { authorization: `Bearer ${token}` },
  })
  assert.equal(response.status, 204, await response.text())
}

test('each end of a right is counted under its cause, from its commit until the volumes have stopped', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b } = server
  const ends = {
    'key.disabled': (key: Json) => a.kms(204, 'POST', `/keys/${key.id}/actions/disable`),
    'key.deleted': (key: Json) => a.kms(204, 'DELETE', `/keys/${key.id}?force=true`),
    'authorization.removed': (_: Json, policyId: string) => a.expect(204, 'DELETE', `/v1/policies/${policyId}`),
    'account.disabled': () => setAccount(server, b.account.id, true),
  } as const
  for (const [cause, end] of Object.entries(ends)) {
    const key = await makeRootKey(a, cause)
    const { id: policyId } = await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b, key.id) })
    const volumes = [await makeVolume(b, key.crn), await makeVolume(b, key.crn)]
    const writers = []
    for (const volume of volumes) {
      const { connection } = await attach(b, volume.id)
      writers.push(startNbdsh(tlsUri(connection, folder), writeOn))
    }
    for (const writer of writers) await writer.started
    await end(key, policyId)
    const revocation = await ended(a, key)
    assert.deepEqual([revocation.cause, revocation.volumes, revocation.state], [cause, 2, 'acknowledged'])
    assert.ok(revocation.duration_seconds > 0 && revocation.duration_seconds < 10)
    for (const writer of writers) assert.notEqual((await writer.ended).status, 0)
  }
  await setAccount(server, b.account.id, false)
  const { service_level: levels } = await a.expect(200, 'GET', '/keyward/v1/revocations')
  assert.deepEqual(
    levels
      .filter((one: Json) => one.count > 0)
      .map((one: Json) => [one.cause, one.count])
      .toSorted(),
    Object.keys(ends)
      .map((cause) => [cause, 1])
      .toSorted(),
  )
  // B's account owns no key that ended; and A's figures are not B's to read.
  assert.deepEqual((await b.expect(200, 'GET', '/keyward/v1/revocations')).revocations, [])
  await b.expect(401, 'GET', `/keyward/v1/revocations?account_id=${a.account.id}`)
})

test('a disk process that does not answer is shown, and a server that is killed leaves nothing open', async (t) => {
  const folder = tempFolder(t)
  let server = await startServer(t, folder)
  const { a, b } = server
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const use = async (): Promise<Json> => {
    const key = await makeRootKey(a)
    const { connection } = await attach(b, (await makeVolume(b, key.crn)).id)
    nbdsh(tlsUri(connection, folder), write)
    const writer = startNbdsh(tlsUri(connection, folder), writeOn)
    await writer.started
    return key
  }
  const stop = (): void => {
    const pids = diskProcesses(server.processId)
    assert.ok(pids.length > 0)
    for (const pid of pids) process.kill(pid, 'SIGSTOP')
    afterwards(t, () => pids.forEach((pid) => tryKill(pid)))
  }
  const key = await use()
  stop()
  const disabling = a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
  const [underWay] = (
    await until(
      () => a.expect(200, 'GET', '/keyward/v1/revocations'),
      ({ revocations }) => revocations.length > 0 && revocations[0].unacknowledged.length > 0,
    )
  ).revocations
  assert.deepEqual([underWay.state, underWay.volumes, underWay.key_crn], ['under-way', 1, key.crn])
  const [{ holder_id: holderId, leases_end_at: leasesEndAt }] = underWay.unacknowledged
  assert.equal(underWay.ends_by, leasesEndAt)
  await disabling
  const over = await ended(a, key)
  assert.deepEqual([over.state, over.unacknowledged.length], ['lapsed', 1])
  assert.deepEqual([over.unacknowledged[0].holder_id, over.unacknowledged[0].ended], [holderId, 'process'])

  const last = await use()
  stop()
  a.kms(204, 'POST', `/keys/${last.id}/actions/disable`).catch(() => undefined)
  await until(
    () => a.expect(200, 'GET', '/keyward/v1/revocations'),
    ({ revocations }) => revocations[0].key_crn === last.crn,
  )
  await server.kill()
  server = await startServer(t, folder)
  // A sweep closes it, and setting the clock forward sweeps: the clock that a lease ends by is another one.
  const [left] = (
    await until(
      async () => {
        await server.advance(1)
        return await server.a.expect(200, 'GET', '/keyward/v1/revocations')
      },
      ({ revocations }) => revocations[0].state !== 'under-way',
    )
  ).revocations
  assert.equal(left.key_crn, last.crn)
  assert.deepEqual([left.cause, left.state, left.duration_seconds, left.volumes], ['key.disabled', 'lapsed', 10, null])
})

/** It may have ended already. */
function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // So it has.
  }
}
