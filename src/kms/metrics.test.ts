import assert from 'node:assert/strict'
import { test } from 'node:test'
import { accountA, accountB, blockStorage, owner, volumeCrn } from './testing/world.ts'
import { enveloped, makeWire } from './testing/wire.ts'
import type { Wire } from './testing/wire.ts'

const minuteMs = 60_000
const path = `/keyward/v1/metrics?account_id=${accountA}`

const metricsPolicy = (enabled: boolean) => enveloped('policy', { policy_type: 'metrics', policy_data: { enabled } })

/** What a family says: by the kind of request and the status. */
async function family(wire: Wire, name: string): Promise<Record<string, number>> {
  const text: string = await wire.expect(200, 'GET', path)
  const lines = text.split('\n').filter((line) => line.startsWith(`${name}{`))
  return Object.fromEntries(
    lines.map((line) => {
      const [, labels = '', figure] = /\{(.*)\} (.*)$/.exec(line) ?? []
      const of = (label: string) => new RegExp(`${label}="([^"]*)"`).exec(labels)?.[1]
      assert.equal(of('ibm_resource'), wire.world.instanceId)
      assert.equal(of('ibm_scope'), `a/${accountA}`)
      return [`${of('ibm_kms_api')} ${of('ibm_kms_response_code')}`, Number(figure)]
    }),
  )
}

test('requests are counted from the moment the policy asks for it, by kind and status, until it does not', async () => {
  await using wire = await makeWire()
  wire.world.iam.permit(owner, accountA, ['keyward.metrics.read'])
  const key = await wire.makeKey()
  assert.equal((await wire.expect(200, 'GET', path)).includes('ibm_kms_api='), false)
  await wire.expect(204, 'PUT', '/instance/policies', { body: metricsPolicy(true) })
  for (let i = 0; i < 3; i++) await wire.expect(200, 'POST', `/keys/${key.id}/actions/wrap`, { body: {} })
  await wire.expect(401, 'GET', '/keys', { as: 'nobody' })
  await wire.expect(404, 'GET', '/keys/00000000-0000-4000-8000-000000000000')
  await wire.world.kms.port.createDataKey({ keyCrn: key.crn, resourceCrn: volumeCrn(), as: blockStorage })
  const counted = {
    'kms.instance-policies.write 204': 1,
    'kms.secrets.wrap 200': 4,
    'kms.secrets.list 401': 1,
    'kms.secrets.read 404': 1,
    'kms.registrations.create 201': 1,
  }
  assert.deepEqual(await family(wire, 'keyward_kms_api_requests_total'), counted)
  assert.equal((await family(wire, 'ibm_kms_api_request_gauge'))['kms.secrets.wrap 200'], 0, 'the minute is not over')
  wire.world.clock.advance(minuteMs)
  assert.deepEqual(await family(wire, 'ibm_kms_api_request_gauge'), counted)
  assert.deepEqual(
    Object.keys(await family(wire, 'ibm_kms_api_latency_gauge')).toSorted(),
    Object.keys(counted).toSorted(),
  )
  wire.world.clock.advance(minuteMs)
  assert.equal((await family(wire, 'ibm_kms_api_request_gauge'))['kms.secrets.wrap 200'], 0)
  assert.deepEqual(await family(wire, 'keyward_kms_api_requests_total'), counted)
  await wire.expect(204, 'PUT', '/instance/policies', { body: metricsPolicy(false) })
  await wire.expect(200, 'POST', `/keys/${key.id}/actions/wrap`, { body: {} })
  assert.deepEqual(await family(wire, 'keyward_kms_api_requests_total'), counted)
})

test('metrics are for those whom the account lets read them, in the form that Prometheus takes', async () => {
  await using wire = await makeWire()
  await wire.expect(401, 'GET', path)
  wire.world.iam.permit(owner, accountA, ['keyward.metrics.read'])
  await wire.expect(401, 'GET', `/keyward/v1/metrics?account_id=${accountB}`)
  await wire.expect(400, 'GET', '/keyward/v1/metrics')
  const { headers, body } = await wire.send('GET', path)
  assert.equal(headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
  assert.match(body, /^# HELP ibm_kms_api_request_gauge .*\n# TYPE ibm_kms_api_request_gauge gauge\n/)
})
