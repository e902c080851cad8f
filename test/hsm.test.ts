// A server whose master key is in a PKCS#11 token (SoftHSM2 here): instances of hs-crypto, and what happens without it.

import assert from 'node:assert/strict'
import { existsSync, mkdirSync, renameSync, rmdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { makeToken, softHsmMissing } from '../src/master-key/testing/soft-hsm.ts'
import type { Api, Json } from './harness/api.ts'
import { runToEnd, startServer, tempFolder } from './harness/server.ts'
import { authorization, keyEnvelope, makeVolume } from './harness/story.ts'

const skip = softHsmMissing
/** The catalog's plan of Hyper Protect Crypto Services. */
const planId = 'b1f0d7c2-84e3-4f6a-a5d9-0c6e2f9b7318'

function tokenFor(t: TestContext) {
  const token = makeToken()
  t.after(() => token.remove())
  const { modulePath, tokenLabel, pinFile, configuration } = token
  const args = ['--pkcs11-module', modulePath, '--pkcs11-token', tokenLabel, '--pkcs11-pin-file', pinFile]
  return { args, environment: { SOFTHSM2_CONF: configuration }, folder: dirname(configuration) }
}

const instanceBody = (owner: Api) => ({
  name: 'hsm',
  target: 'us-south',
  resource_group: owner.account.resourceGroupId,
  resource_plan_id: planId,
})

const makeKey = async (owner: Api, instance: string, more: Record<string, unknown> = {}): Promise<Json> => {
  const body = keyEnvelope({ name: 'root', extractable: false, ...more })
  return (await owner.kms(201, 'POST', '/keys', body, instance)).resources[0]
}

test('hs-crypto is refused where the master key is not in a token', async (t) => {
  const { a } = await startServer(t, tempFolder(t))
  const { status, body } = await a.send('POST', '/v2/resource_instances', { body: instanceBody(a) })
  assert.ok(status >= 400 && status < 500, String(status))
  assert.match(body.message, /hs-crypto needs a hardware security module/)
})

test('an hs-crypto instance serves the same API under its own name, also across accounts', { skip }, async (t) => {
  const folder = tempFolder(t)
  const { args, environment } = tokenFor(t)
  const server = await startServer(t, folder, args, environment)
  const { a, b } = server
  const { guid } = await a.expect(201, 'POST', '/v2/resource_instances', { body: instanceBody(a) })
  const key = await makeKey(a, guid)
  assert.match(
    key.crn,
    new RegExp(`^crn:v1:bluemix:public:hs-crypto:us-south:a/${a.account.id}:${guid}:key:${key.id}$`),
  )
  const wrapped = await a.kms(200, 'POST', `/keys/${key.id}/actions/wrap`, undefined, guid)
  const { ciphertext } = wrapped
  const opened = await a.kms(200, 'POST', `/keys/${key.id}/actions/unwrap`, { ciphertext }, guid)
  assert.equal(opened.plaintext, wrapped.plaintext)

  // A policy about Key Protect does not reach here; one about this service does.
  const body = authorization(a, b)
  await a.expect(201, 'POST', '/v1/policies', { body })
  const refused = await b.send('POST', '/v1/volumes?version=2026-03-24&generation=2', {
    body: { profile: { name: 'general-purpose' }, zone: { name: 'us-south-1' }, capacity: 10, encryption_key: key },
  })
  assert.ok(refused.status >= 400)
  const attributes = body.resources[0]?.attributes.map(({ name, value }) => ({
    name,
    value: name === 'serviceName' ? 'hs-crypto' : value,
  }))
  await a.expect(201, 'POST', '/v1/policies', { body: { ...body, resources: [{ attributes }] } })
  await makeVolume(b, key.crn)
  const { records } = await a.expect(200, 'GET', `/keyward/v1/audit?account_id=${a.account.id}`)
  assert.ok(records.some(({ action, target }: Json) => action === 'hs-crypto.secrets.wrap' && target.id === key.crn))
  assert.equal(await server.stop(), 0)

  assert.ok(!existsSync(join(folder, 'master.key')))
  const outside = await runToEnd(['--data', folder, '--port', '0', '--nbd-port', '0'])
  assert.match(outside.stderr, /instances of hs-crypto, and their keys may be sealed by a PKCS#11 token only/)
})

test('without its token the server does not start, and with it everything opens again', { skip }, async (t) => {
  const folder = tempFolder(t)
  const token = tokenFor(t)
  const first = await startServer(t, folder, token.args, token.environment)
  const { resources } = await first.a.kms(201, 'POST', '/keys', keyEnvelope({ name: 'root', extractable: false }))
  const { ciphertext, plaintext } = await first.a.kms(200, 'POST', `/keys/${resources[0].id}/actions/wrap`)
  await first.stop()

  const [tokens, away] = [join(token.folder, 'tokens'), join(token.folder, 'away')]
  renameSync(tokens, away)
  mkdirSync(tokens)
  const args = ['--data', folder, '--port', '0', '--nbd-port', '0', ...token.args]
  const gone = await runToEnd(args, token.environment)
  assert.equal(gone.code, 1)
  assert.match(gone.stderr, /^keyward: PKCS#11 token "keyward test" is not there/)
  rmdirSync(tokens)
  renameSync(away, tokens)
  const second = await startServer(t, folder, token.args, token.environment)
  const opened = await second.a.kms(200, 'POST', `/keys/${resources[0].id}/actions/unwrap`, { ciphertext })
  assert.equal(opened.plaintext, plaintext)
})

test('a server moves its master key into a token', { skip }, async (t) => {
  const folder = tempFolder(t)
  const token = tokenFor(t)
  const first = await startServer(t, folder)
  const { resources } = await first.a.kms(201, 'POST', '/keys', keyEnvelope({ name: 'root', extractable: false }))
  const { ciphertext, plaintext } = await first.a.kms(200, 'POST', `/keys/${resources[0].id}/actions/wrap`)
  await first.stop()
  const old = ['--old-master-key-file', join(folder, 'master.key')]
  const moved = await runToEnd(['master-key', 'rotate', '--data', folder, ...token.args, ...old], token.environment)
  assert.equal(moved.code, 0, moved.stderr)
  const second = await startServer(t, folder, token.args, token.environment)
  const opened = await second.a.kms(200, 'POST', `/keys/${resources[0].id}/actions/unwrap`, { ciphertext })
  assert.equal(opened.plaintext, plaintext)
})
