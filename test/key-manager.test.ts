// The key manager from outside, where the official client has no word for it: old forms, the end of a key, what the owner
// measures, what the operator can do for somebody who is locked out, and how long the trail is kept.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Json } from './harness/api.ts'
import { startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { keyEnvelope, makeRootKey } from './harness/story.ts'

const hour = 3600
const day = 24 * hour

const policies = (...resources: Json[]) => ({
  metadata: { collectionType: 'application/vnd.ibm.kms.policy+json', collectionTotal: resources.length },
  resources,
})
const instancePolicy = (policy_type: string, attributes?: Json) =>
  policies({ policy_type, policy_data: { enabled: true, ...(attributes && { attributes }) } })

async function asOperator(server: Server, path: string): Promise<number> {
  const token = readFileSync(join(server.folder, 'operator.token'), 'utf8').trim()
  const headers = { authorization: `Bearer ${token}` }
  return (await fetch(`${server.baseUrl}/keyward/v1/operator${path}`, { method: 'POST', headers })).status
}

test('old forms, overrides, sync and purge', async (t) => {
  const { a, advance } = await startServer(t, tempFolder(t))
  const overrides = keyEnvelope({
    name: 'overridden',
    extractable: false,
    rotation: { enabled: true, interval_month: 3 },
  })
  const key = (await a.kms(201, 'POST', '/keys_with_policy_overrides', overrides)).resources[0]
  assert.equal((await a.kms(200, 'GET', `/keys/${key.id}/policies`)).resources[0].rotation.interval_month, 3)
  const { ciphertext, plaintext } = await a.kms(200, 'POST', `/keys/${key.id}?action=wrap`, {})
  assert.equal((await a.kms(200, 'POST', `/keys/${key.id}?action=unwrap`, { ciphertext })).plaintext, plaintext)
  await advance(hour)
  await a.kms(204, 'POST', `/keys/${key.id}/actions/sync`)
  await a.kms(204, 'DELETE', `/keys/${key.id}`)
  const { apikeys } = await a.expect(200, 'GET', `/v1/apikeys?account_id=${a.account.id}`)
  await a.expect(201, 'POST', '/v1/policies', {
    body: {
      type: 'access',
      subjects: [{ attributes: [{ name: 'iam_id', value: apikeys[0].iam_id }] }],
      roles: [{ role_id: 'crn:v1:bluemix:public:kms::::serviceRole:KeyPurge' }],
      resources: [
        {
          attributes: [
            { name: 'accountId', value: a.account.id },
            { name: 'serviceName', value: 'kms' },
          ],
        },
      ],
    },
  })
  await a.kms(409, 'DELETE', `/keys/${key.id}/purge`)
  await advance(4 * hour)
  await a.kms(204, 'DELETE', `/keys/${key.id}/purge`)
  await a.kms(404, 'GET', `/keys/${key.id}`)
})

test('metrics of an instance are its account’s, from the moment its policy asks for them', async (t) => {
  const { a, b, baseUrl } = await startServer(t, tempFolder(t))
  const key = await makeRootKey(a)
  const metrics = async (who = a) => {
    const headers = { authorization: `Bearer ${await who.token()}` }
    const answer = await fetch(`${baseUrl}/keyward/v1/metrics?account_id=${a.account.id}`, { headers })
    return { status: answer.status, text: await answer.text() }
  }
  assert.doesNotMatch((await metrics()).text, /ibm_kms_api=/)
  await a.kms(204, 'PUT', '/instance/policies', instancePolicy('metrics'))
  for (let i = 0; i < 3; i++) await a.kms(200, 'POST', `/keys/${key.id}/actions/wrap`, {})
  await b.kms(401, 'POST', `/keys/${key.id}/actions/wrap`, {}, a.account.kmsInstanceId)
  const { text } = await metrics()
  const counted = (status: number) =>
    new RegExp(
      `^keyward_kms_api_requests_total\\{.*ibm_kms_api="kms.secrets.wrap",ibm_kms_response_code="${status}"\\} (\\d+)$`,
      'm',
    ).exec(text)?.[1]
  assert.deepEqual([counted(200), counted(401)], ['3', '1'])
  assert.notEqual((await metrics(b)).status, 200)
})

test('who is locked out by a network policy is let in by the operator, and the owner reads it', async (t) => {
  const server = await startServer(t, tempFolder(t), ['--trusted-proxy', '127.0.0.1'])
  const { a } = server
  const from = (address: string) => ({
    headers: { 'bluemix-instance': a.account.kmsInstanceId, 'x-forwarded-for': address },
  })
  const body = instancePolicy('allowedIP', { allowed_ip: ['203.0.113.7'] })
  await a.expect(400, 'PUT', '/api/v2/instance/policies', { ...from('198.51.100.1'), body })
  await a.expect(204, 'PUT', '/api/v2/instance/policies', { ...from('203.0.113.7'), body })
  await a.expect(401, 'GET', '/api/v2/keys', from('198.51.100.1'))
  const path = `/kms_instances/${a.account.kmsInstanceId}/lift_network_policies`
  const tenant = await a.send('POST', `/keyward/v1/operator${path}`)
  assert.equal(tenant.status, 401)
  assert.equal(await asOperator(server, '/kms_instances/no-such-instance/lift_network_policies'), 404)
  assert.equal(await asOperator(server, path), 204)
  assert.equal(await asOperator(server, path), 204)
  await a.expect(200, 'GET', '/api/v2/keys', from('198.51.100.1'))
  const policy = (await a.kms(200, 'GET', '/instance/policies')).resources[0]
  assert.deepEqual([policy.policy_type, policy.policy_data.enabled], ['allowedIP', false])
  const query = `account_id=${a.account.id}&action=kms.instance-policies.write&outcome=success`
  const { records } = await a.expect(200, 'GET', `/keyward/v1/audit?${query}`)
  const [{ initiator, reason, requestData }] = records
  assert.deepEqual(
    [initiator.name, reason.reasonCode, requestData.newValue],
    ['operator', 204, { policyAllowedIPEnabled: false }],
  )
})

test('the trail is kept as long as the operator says', async (t) => {
  const { a, advance } = await startServer(t, tempFolder(t), ['--audit-retention-days', '30'])
  const key = await makeRootKey(a)
  const actions = async () => {
    const { records } = await a.expect(200, 'GET', `/keyward/v1/audit?account_id=${a.account.id}`)
    return records.map((record: Json) => record.action)
  }
  await advance(29 * day)
  await a.kms(200, 'POST', `/keys/${key.id}/actions/wrap`, {})
  assert.deepEqual(await actions(), ['kms.secrets.wrap', 'kms.secrets.create'])
  await advance(2 * day)
  assert.deepEqual(await actions(), ['kms.secrets.wrap'])
})
