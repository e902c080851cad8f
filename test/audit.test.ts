// The audit trail over HTTP: every use of a key, in the owner's account and in that of whoever used it, failures too.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Api, Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { authorization, keyEnvelope, makeRootKey, makeVolume, volumeBody } from './harness/story.ts'

const trail = async (reader: Api, query = '', accountId = reader.account.id): Promise<Json[]> => {
  const { records } = await reader.expect(200, 'GET', `/keyward/v1/audit?account_id=${accountId}${query}`)
  return records
}

const brief = ({ action, outcome, reason }: Json): string => `${action} ${outcome} ${reason.reasonCode}`

test('every action of a key leaves a record, and none holds a secret', async (t) => {
  const { a } = await startServer(t, tempFolder(t))
  const payload = Buffer.alloc(32, 0x5a).toString('base64')
  const created = await a.kms(201, 'POST', '/keys', keyEnvelope({ name: 'audited', extractable: false, payload }))
  const { id, crn } = created.resources[0]
  const { ciphertext, keyVersion } = await a.kms(200, 'POST', `/keys/${id}/actions/wrap`, { plaintext: payload })
  await a.kms(200, 'POST', `/keys/${id}/actions/unwrap`, { ciphertext })
  await a.kms(200, 'GET', `/keys/${id}/metadata`)
  await a.kms(200, 'GET', '/keys')
  await a.kms(204, 'POST', `/keys/${id}/actions/rotate`, { payload: Buffer.alloc(32, 0x5b).toString('base64') })
  await a.kms(204, 'POST', `/keys/${id}/actions/disable`)
  await a.kms(409, 'POST', `/keys/${id}/actions/wrap`)

  const records = await trail(a, '&order=oldest')
  assert.deepEqual(records.map(brief).sort(), [
    'kms.secrets-metadata.read success 200',
    'kms.secrets.create success 201',
    'kms.secrets.disable success 204',
    'kms.secrets.list success 200',
    'kms.secrets.rotate success 204',
    'kms.secrets.unwrap success 200',
    'kms.secrets.wrap failure 409',
    'kms.secrets.wrap success 200',
  ])
  const made = records.find(({ action }) => action === 'kms.secrets.create')
  assert.equal(made.target.id, crn)
  assert.equal(made.target.typeURI, 'kms/secrets')
  assert.equal(made.initiator.id, created.resources[0].createdBy)
  assert.equal(made.initiator.host.address, '127.0.0.1')
  assert.equal(made.requestData.instanceID, a.account.kmsInstanceId)
  assert.deepEqual([made.responseData.keyId, made.responseData.keyVersionId, made.responseData.keyState], [id, id, 1])
  const wrapped = records.find((record) => brief(record) === 'kms.secrets.wrap success 200')
  assert.equal(wrapped.responseData.keyVersionId, keyVersion.id)
  const severities = new Map(records.map((record) => [brief(record), record.severity]))
  assert.equal(severities.get('kms.secrets.wrap success 200'), 'normal')
  assert.equal(severities.get('kms.secrets.disable success 204'), 'warning')
  assert.equal(severities.get('kms.secrets.wrap failure 409'), 'warning')
  const text = JSON.stringify(records)
  assert.ok(!text.includes(payload) && !text.includes(ciphertext))
})

test('the use of a key by another account shows in both trails', async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  const key = await makeRootKey(a)
  await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn)).catch(() => null)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await makeVolume(b, key.crn)

  const blockStorage = `crn-crn:v1:bluemix:public:server-protect::a/${b.account.id}:::`
  const isSuccess = (record: Json): boolean => brief(record) === 'kms.secrets.wrap success 200'
  const [owners, users] = [(await trail(a)).find(isSuccess), (await trail(b)).find(isSuccess)]
  assert.deepEqual([owners?.counterpartId, users?.counterpartId], [users?.id, owners?.id])
  for (const reader of [a, b]) {
    const uses = (await trail(reader)).filter(({ initiator }) => initiator.id === blockStorage)
    const wraps = uses.filter(({ action }) => action === 'kms.secrets.wrap').map(brief)
    assert.deepEqual(new Set(wraps), new Set(['kms.secrets.wrap success 200', 'kms.secrets.wrap failure 401']))
    const registered = uses.find((record) => brief(record) === 'kms.registrations.create success 201')
    assert.equal(registered?.target.id, key.crn)
    assert.match(registered.responseData.resourceCRN, new RegExp(`:a/${b.account.id}::volume:`))
  }
})

test('a stranger shows in the trail of the instance, and learns from its own only what it said', async (t) => {
  const { a, b, baseUrl } = await startServer(t, tempFolder(t))
  const key = await makeRootKey(a)
  await b.kms(401, 'GET', `/keys/${key.id}`, undefined, a.account.kmsInstanceId)
  const nobody = await fetch(`${baseUrl}/api/v2/keys`, { headers: { 'bluemix-instance': a.account.kmsInstanceId } })
  assert.equal(nobody.status, 401)
  // Malformed, which is found before anybody asks whether it may.
  await b.kms(400, 'POST', '/keys', { wrong: true }, a.account.kmsInstanceId)

  const seen = await trail(a, '&outcome=failure')
  assert.deepEqual(seen.map(brief).sort(), [
    'kms.secrets.create failure 400',
    'kms.secrets.list failure 401',
    'kms.secrets.read failure 401',
  ])
  const [read, list] = [...seen].sort((x: Json, y: Json) => (x.action < y.action ? 1 : -1))
  assert.equal(read.target.id, key.crn)
  assert.equal(read.severity, 'critical')
  assert.equal(list.initiator.id, '')
  const own = await trail(b)
  assert.deepEqual(own.map(brief).sort(), ['kms.secrets.create failure 400', 'kms.secrets.read failure 401'])
  assert.ok(!JSON.stringify(own).includes(a.account.id))
  for (const { counterpartId } of own) assert.equal(counterpartId, undefined)
})

test('a trail is read by whoever its account permits, filtered and in pages', async (t) => {
  const { a, b } = await startServer(t, tempFolder(t))
  await b.expect(403, 'GET', `/keyward/v1/audit?account_id=${a.account.id}`)
  await a.expect(400, 'GET', '/keyward/v1/audit')
  await a.expect(400, 'GET', `/keyward/v1/audit?account_id=${a.account.id}&limit=0`)

  for (let i = 0; i < 7; i += 1) await makeRootKey(a, `key ${i}`)
  await a.kms(200, 'GET', '/keys')
  const creations = '&action=kms.secrets.create'
  assert.equal((await trail(a, creations)).length, 7)
  assert.equal((await trail(a, '&outcome=failure')).length, 0)
  assert.equal((await trail(a, '&from=2100-01-01T00:00:00Z')).length, 0)
  assert.equal((await trail(a, `${creations}&to=2100-01-01T00:00:00Z`)).length, 7)

  const seen: string[] = []
  let path: string | null = `/keyward/v1/audit?account_id=${a.account.id}${creations}&limit=3&order=oldest`
  while (path !== null) {
    const page: Json = await a.expect(200, 'GET', path)
    seen.push(...page.records.map(({ id }: Json) => id))
    path = page.next ? new URL(page.next.href).pathname + new URL(page.next.href).search : null
  }
  assert.equal(new Set(seen).size, 7)
  assert.deepEqual(
    seen.toReversed(),
    (await trail(a, creations)).map(({ id }) => id),
  )
})

test('what was acknowledged before a kill is in the trail', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  const key = await makeRootKey(first.a)
  await first.a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
  await first.kill()
  const { a } = await startServer(t, folder)
  const actions = (await trail(a)).map(({ action }) => action)
  assert.deepEqual(actions, ['kms.secrets.disable', 'kms.secrets.create'])
})
