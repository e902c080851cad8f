// IBM's own client for Node, unchanged but for its URLs: the sequence of its integration suite, and every operation that
// it has. What it leaves out (ring transfer, purge, overrides) goes over plain HTTP beside it.

import assert from 'node:assert/strict'
import { constants, createCipheriv, publicEncrypt, randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Json } from './harness/api.ts'
import { projectFolder, startServer, tempFolder } from './harness/server.ts'
import { authorization, keyEnvelope, makeRootKey, makeVolume, volumeIs } from './harness/story.ts'

// Of another core than the others, in a folder of its own; its types are not on this project's path.
const keyProtectRequire = createRequire(join(projectFolder, 'test/clients/key-protect/package.json'))
const KeyProtectV2: Json = keyProtectRequire('@ibm-cloud/ibm-key-protect/ibm-key-protect-api/v2')
const keyProtectAuth: Json = keyProtectRequire('@ibm-cloud/ibm-key-protect/auth')

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const b64 = (value: Uint8Array): string => Buffer.from(value).toString('base64')
const policyType = 'application/vnd.ibm.kms.policy+json'
const policies = (...resources: Json[]) => ({
  metadata: { collectionType: policyType, collectionTotal: resources.length },
  resources,
})

function keyProtect(endpoints: { iam: string; kms: string }, apikey: string): Json {
  const authenticator = new keyProtectAuth.IamAuthenticator({ apikey, url: endpoints.iam })
  const service = new KeyProtectV2({ authenticator, serviceUrl: endpoints.kms })
  return new Proxy(service, {
    get(target, name) {
      called.add(String(name))
      return Reflect.get(target, name)
    },
  })
}

/** Methods of the client that a test has used. */
const called = new Set<string>()

/** The client shows the body of an error as text. */
const refuses = (code: string) => (error: Json) => {
  assert.match(JSON.stringify([error.message, error.body, error.result]), new RegExp(code))
  return true
}

test("the sequence of IBM's own integration suite", async (t) => {
  const { a, advance, bootstrap } = await startServer(t, tempFolder(t))
  const service = keyProtect(bootstrap.endpoints, a.account.apiKey)
  const inside = { bluemixInstance: a.account.kmsInstanceId }

  const created = await service.createKey({
    ...inside,
    body: bytes(keyEnvelope({ name: 'sdk-key', extractable: false })),
  })
  assert.equal(created.status, 201)
  const generated = { ...inside, id: created.result.resources[0].id }

  const token = await service.postImportToken({ ...inside, expiration: 80_000, maxAllowedRetrievals: 30 })
  assert.deepEqual([token.status, token.result.remainingRetrievals], [200, 30])
  const retrieved = await service.getImportToken(inside)
  assert.deepEqual([retrieved.status, retrieved.result.remainingRetrievals], [200, 29])

  const head = await service.getKeyCollectionMetadata(inside)
  assert.equal(head.headers['key-total'], '1')

  const importedBody = keyEnvelope({ name: 'imported', extractable: false, payload: b64(randomBytes(16)) })
  const imported = {
    ...inside,
    id: (await service.createKey({ ...inside, body: bytes(importedBody) })).result.resources[0].id,
  }
  assert.equal((await service.getKeys(inside)).result.resources.length, 2)
  assert.equal((await service.getKey(generated)).result.resources[0].id, generated.id)
  assert.equal((await service.getKeyMetadata(imported)).result.resources[0].imported, true)

  const plaintext = b64(Buffer.from('a data key of thirty-two bytes..'))
  const wrapped = await service.wrapKey({ ...generated, keyActionWrapBody: bytes({ plaintext }) })
  const { ciphertext } = wrapped.result
  assert.equal(
    (await service.unwrapKey({ ...generated, keyActionUnwrapBody: bytes({ ciphertext }) })).result.plaintext,
    plaintext,
  )
  assert.ok(
    (await service.rewrapKey({ ...generated, keyActionRewrapBody: bytes({ ciphertext }) })).result.rewrappedKeyVersion
      .id,
  )

  // Within the hour of their creation: the first rotation does not wait.
  assert.equal((await service.rotateKey({ ...generated, keyActionRotateBody: bytes({}) })).status, 204)
  const payload = b64(randomBytes(32))
  assert.equal((await service.rotateKey({ ...imported, keyActionRotateBody: bytes({ payload }) })).status, 204)
  await assert.rejects(
    service.rotateKey({ ...generated, keyActionRotateBody: bytes({}) }),
    refuses('KEY_ROTATION_NOT_PERMITTED'),
  )
  const versions = (await service.getKeyVersions({ ...generated, allKeyStates: true })).result
  assert.equal(versions.metadata.collectionTotal, 2)
  assert.notEqual(versions.resources[0].id, versions.resources[1].id)

  const rotation = policies({ type: policyType, rotation: { interval_month: 2 } })
  assert.equal(
    (await service.putPolicy({ ...generated, policy: 'rotation', setKeyPoliciesOneOf: rotation })).status,
    200,
  )
  const dual = policies({ type: policyType, dualAuthDelete: { enabled: false } })
  assert.equal(
    (await service.putPolicy({ ...generated, policy: 'dualAuthDelete', setKeyPoliciesOneOf: dual })).status,
    200,
  )
  assert.equal((await service.getPolicy(generated)).result.metadata.collectionTotal, 2)

  assert.equal((await service.disableKey(generated)).status, 204)
  await assert.rejects(service.enableKey(generated), refuses('REQ_TOO_EARLY_ERR'))
  await advance(30)
  assert.equal((await service.enableKey(generated)).status, 204)

  const deleted = await service.deleteKey({ ...generated, prefer: 'return=representation' })
  assert.deepEqual([deleted.status, deleted.result.resources[0].id], [200, generated.id])
  const purge = await a.send('DELETE', `/api/v2/keys/${generated.id}/purge`, {
    headers: { 'bluemix-instance': inside.bluemixInstance },
  })
  assert.equal(purge.status, 401, 'a Manager has to be given KeyPurge')
  await assert.rejects(service.syncAssociatedResources(generated), refuses('REQ_TOO_EARLY_ERR'))
  await advance(30)
  assert.equal((await service.restoreKey(generated)).status, 201)
  assert.equal((await service.getKey(generated)).result.resources[0].state, 1)

  const instancePolicies = policies(
    { policy_type: 'dualAuthDelete', policy_data: { enabled: false } },
    {
      policy_type: 'allowedNetwork',
      policy_data: { enabled: true, attributes: { allowed_network: 'public-and-private' } },
    },
  )
  assert.equal((await service.putInstancePolicy({ ...inside, setInstancePoliciesOneOf: instancePolicies })).status, 204)
  assert.equal((await service.getInstancePolicy(inside)).result.resources.length, 2)
  assert.equal((await service.getAllowedIpPort(inside)).status, 200)

  const alias = { ...generated, alias: 'sdk-alias' }
  assert.equal((await service.createKeyAlias(alias)).status, 201)
  assert.equal((await service.getKey({ ...inside, id: alias.alias })).result.resources[0].id, generated.id)
  assert.equal((await service.deleteKeyAlias(alias)).status, 204)

  const ring = { ...inside, keyRingId: 'sdk-ring' }
  assert.equal((await service.createKeyRing(ring)).status, 201)
  assert.equal((await service.listKeyRings(inside)).result.resources.length, 2)
  await a.kms(200, 'PATCH', `/keys/${imported.id}`, { keyRingID: ring.keyRingId })
  assert.equal(
    (await service.getKey({ ...imported, xKmsKeyRing: ring.keyRingId })).result.resources[0].keyRingID,
    ring.keyRingId,
  )
  await a.kms(200, 'PATCH', `/keys/${imported.id}`, { keyRingID: 'default' })
  assert.equal((await service.deleteKeyRing(ring)).status, 204)

  assert.equal((await service.getRegistrations(generated)).result.metadata.collectionTotal, 0)
  assert.equal((await service.getRegistrationsAllKeys(inside)).result.metadata.collectionTotal, 0)
})

test('secure import, and deletion by two words, with the client of IBM', async (t) => {
  const { a, bootstrap } = await startServer(t, tempFolder(t))
  const service = keyProtect(bootstrap.endpoints, a.account.apiKey)
  const inside = { bluemixInstance: a.account.kmsInstanceId }
  await service.postImportToken({ ...inside, expiration: 600, maxAllowedRetrievals: 2 })
  const { payload: publicKey, nonce } = (await service.getImportToken(inside)).result
  const material = randomBytes(32)
  const iv = randomBytes(12)
  const key = { key: Buffer.from(publicKey, 'base64'), padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha256' }
  const cipher = createCipheriv('aes-256-gcm', material, iv)
  const sealed = Buffer.concat([cipher.update(Buffer.from(nonce, 'base64')), cipher.final(), cipher.getAuthTag()])
  const resource = {
    name: 'secure',
    extractable: false,
    payload: b64(publicEncrypt(key, material)),
    encryptedNonce: b64(sealed),
    iv: b64(iv),
    encryptionAlgorithm: 'RSAES_OAEP_SHA_256',
  }
  const made = (await service.createKey({ ...inside, body: bytes(keyEnvelope(resource)) })).result.resources[0]
  assert.equal(made.imported, true)
  const one = { ...inside, id: made.id }
  await assert.rejects(service.setKeyForDeletion(one), refuses('NOT_DUAL_AUTH_ERR'))
  const dual = policies({ type: policyType, dualAuthDelete: { enabled: true } })
  await service.putPolicy({ ...one, policy: 'dualAuthDelete', setKeyPoliciesOneOf: dual })
  assert.equal((await service.setKeyForDeletion(one)).status, 204)
  await assert.rejects(service.deleteKey(one), refuses('AUTHORIZATIONS_NOT_MET'))
  assert.equal((await service.unsetKeyForDeletion(one)).status, 204)
})

test("a rotation reaches B's volume, its owner sees it converge, and a restored key serves again", async (t) => {
  const { a, b, advance, bootstrap } = await startServer(t, tempFolder(t))
  const service = keyProtect(bootstrap.endpoints, a.account.apiKey)
  const key = await makeRootKey(a)
  const one = { bluemixInstance: a.account.kmsInstanceId, id: key.id }
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, key.crn)
  assert.equal((await service.getRegistrations(one)).result.resources[0].resourceCrn, volume.crn)
  await service.rotateKey({ ...one, keyActionRotateBody: bytes({}) })
  const path = `/keyward/v1/keys/${encodeURIComponent(key.crn)}/rotation`
  const converged = await until(
    () => a.expect(200, 'GET', path),
    (answer) => answer.converged,
  )
  assert.deepEqual(
    converged.versions.map((version: Json) => version.registrations),
    [1, 0],
  )

  await assert.rejects(service.deleteKey(one), { status: 409 })
  const deleted = await service.deleteKey({ ...one, force: true, prefer: 'return=representation' })
  assert.equal(deleted.result.resources[0].state, 5)
  await volumeIs(b, volume.id, 'unusable')
  await advance(30)
  await service.restoreKey(one)
  await volumeIs(b, volume.id, 'available')
  await until(
    () => a.kms(200, 'GET', `/keys/${key.id}/registrations`),
    (answer) => answer.resources.length === 1,
  )
})

test("another account's instance is as good as none", async (t) => {
  const { a, b, bootstrap } = await startServer(t, tempFolder(t))
  const key = await makeRootKey(a)
  const service = keyProtect(bootstrap.endpoints, b.account.apiKey)
  const inside = { bluemixInstance: a.account.kmsInstanceId }
  await assert.rejects(service.getKeys(inside), { status: 401 })
  await assert.rejects(service.getKey({ ...inside, id: key.id }), { status: 401 })
  await assert.rejects(service.getKey({ ...inside, id: '00000000-0000-4000-8000-000000000000' }), { status: 401 })
})

test('no operation of the client is left out', () => {
  const methods = Object.getOwnPropertyNames(KeyProtectV2.prototype).filter((name) => name !== 'constructor')
  assert.ok(methods.length > 25)
  assert.deepEqual(
    methods.filter((name) => !called.has(name)),
    [],
  )
})
