// What nobody honest sends: every answer is a documented refusal, and none is a 500.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { httpBodyBytesMax, wrapPlaintextBytesMax } from '#base/limits.ts'
import { kmsContract } from './contract.ts'
import { makeWire, refusal } from './testing/wire.ts'
import type { Answer } from './testing/wire.ts'

test('a ciphertext with any bit changed or any end cut off is refused with 422 and one sentence', async () => {
  await using wire = await makeWire()
  const { id } = await wire.makeKey()
  const plaintext = randomBytes(32).toString('base64')
  const { ciphertext } = await wire.expect(200, 'POST', `/keys/${id}/actions/wrap`, { body: { plaintext, aad: ['a'] } })
  const whole = Buffer.from(ciphertext, 'base64')
  const sentences = new Set<string>()
  const refused = async (bytes: Uint8Array, aad: string[], action: string) => {
    const body = { ciphertext: Buffer.from(bytes).toString('base64'), aad }
    const answer = await wire.send('POST', `/keys/${id}/actions/${action}`, { body })
    assert.deepEqual(refusal(answer), [422, 'UNPROCESSABLE_CIPHERTEXT_ERR'])
    sentences.add(answer.body.resources[0].errorMsg)
  }
  // Every byte, another bit of each; all bits of each in the test of the format itself.
  for (let at = 0; at < whole.length; at++) {
    const changed = Buffer.from(whole)
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8))
    await refused(changed, ['a'], at % 2 ? 'unwrap' : 'rewrap')
  }
  for (let length = 1; length < whole.length; length += 3) await refused(whole.subarray(0, length), ['a'], 'unwrap')
  await refused(Buffer.concat([whole, Buffer.alloc(1)]), ['a'], 'unwrap')
  for (const aad of [[], ['b'], ['a', ''], ['', 'a']]) await refused(whole, aad, 'unwrap')
  assert.equal(sentences.size, 1)
})

test('what is too large is refused by name', async () => {
  await using wire = await makeWire()
  const { id } = await wire.makeKey()
  const wrap = async (body: unknown) => refusal(await wire.send('POST', `/keys/${id}/actions/wrap`, { body }))
  const plaintext = (bytes: number) => randomBytes(bytes).toString('base64')
  await wire.expect(200, 'POST', `/keys/${id}/actions/wrap`, { body: { plaintext: plaintext(wrapPlaintextBytesMax) } })
  assert.deepEqual(await wrap({ plaintext: plaintext(wrapPlaintextBytesMax + 1) }), [
    400,
    'INVALID_FIELD_ERR',
    'plaintext',
  ])
  assert.deepEqual(await wrap({ aad: Array(127).fill('x') }), [400, 'INVALID_FIELD_ERR', 'aad'])
  assert.deepEqual(await wrap({ aad: ['\ud800'] }), [400, 'INVALID_FIELD_ERR', 'aad'])
  assert.deepEqual(await wrap(`{"plaintext":"${'A'.repeat(httpBodyBytesMax)}"}`), [413, 'BAD_BODY_ERR'])
  assert.deepEqual(await wrap('['.repeat(100)), [400, 'BAD_BODY_ERR'])
  assert.deepEqual(await wrap('{"__proto__":{}}'), [400, 'BAD_BODY_ERR'])
})

test('no operation answers 500 to nonsense in its path, its query or its body', async () => {
  await using wire = await makeWire()
  const { id } = await wire.makeKey()
  const nonsense = ['\u0000', '%', "'; drop table kms_key; --", 'ü'.repeat(50), '..', 'x'.repeat(1000)]
  const bodies = [
    undefined,
    'null',
    '[]',
    '{}',
    '0',
    '"x"',
    '{"resources":[{}],"metadata":{}}',
    '{"metadata":{"collectionType":"x","collectionTotal":1},"resources":[{"policy_type":1}]}',
  ]
  const check = ({ status, body }: Answer, what: string) =>
    assert.ok(status !== 500 && status !== 503, `${what}: ${status} ${JSON.stringify(body)}`)
  for (const { method, path } of Object.values(kmsContract)) {
    for (const [i, text] of nonsense.entries()) {
      const inside = encodeURIComponent(text)
      const url = path.replace('/api/v2', '').replaceAll(/\{\w+\}/g, inside)
      const query = `?limit=${inside}&search=${inside}&filter=${inside}&sort=${inside}&state=${inside}&policy=${inside}&force=${inside}&action=${inside}&urlEncodedResourceCRNQuery=${inside}`
      const headers = i % 2 ? { 'x-kms-key-ring': 'x'.repeat(300) } : {}
      check(await wire.send(method, url + (i % 3 ? query : ''), { headers }), `${method} ${path}`)
    }
    for (const body of bodies) {
      const url = path
        .replace('/api/v2', '')
        .replace('{id}', id)
        .replaceAll(/\{\w+\}/g, 'some-name')
      check(await wire.send(method, url, body === undefined ? {} : { body }), `${method} ${path} ${body}`)
    }
  }
})
