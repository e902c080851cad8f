// Who may do what with whose buckets: two accounts, roles, policies on one bucket, service credentials, and what becomes of
// buckets when their instance goes.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { test } from 'node:test'
import {
  CreateBucketCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadBucketCommand,
  HeadObjectCommand,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import type { S3Client } from '@aws-sdk/client-s3'
import ResourceController from '@ibm-cloud/platform-services/resource-controller/v2.js'
import { IamAuthenticator } from 'ibm-cloud-sdk-core'
import { api, until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { runToEnd, startServer, tempFolder } from './harness/server.ts'
import type { Server } from './harness/server.ts'
import { ibmFor, makeKey, makeStorage, s3For } from './harness/storage.ts'

const named = (name: string) => (error: Error) => error.name === name

/** A service id of the account with one policy, by its token. */
async function identity(server: Server, owner: Api, roles: string[], attributes: [string, string][]): Promise<Api> {
  const body = { name: 'somebody', account_id: owner.account.id, apikey: { name: 'key' } }
  const made = await owner.expect(201, 'POST', '/v1/serviceids', { body })
  const resource = [['accountId', owner.account.id], ...attributes].map(([name, value]) => ({ name, value }))
  await owner.expect(201, 'POST', '/v1/policies', {
    body: {
      type: 'access',
      subjects: [{ attributes: [{ name: 'iam_id', value: made.iam_id }] }],
      roles: roles.map((role_id) => ({ role_id })),
      resources: [{ attributes: resource }],
    },
  })
  return api(server.baseUrl, { ...owner.account, apiKey: made.apikey.apikey })
}

const iamRole = (name: string) => `crn:v1:bluemix:public:iam::::serviceRole:${name}`

test('each role may do what it is for, and accounts do not reach into each other', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b } = server
  const ofA = await makeStorage(server, a)
  const ofB = await makeStorage(server, b)
  const put = (s3: S3Client, Bucket: string, Key = 'k') => s3.send(new PutObjectCommand({ Bucket, Key, Body: 'x' }))
  for (const Bucket of ['one', 'two', 'three']) {
    const name = `of-a-${Bucket}`
    await ofA.s3.send(new CreateBucketCommand({ Bucket: name }))
    await put(ofA.s3, name)
  }

  await t.test('roles', async () => {
    const Bucket = 'of-a-one'
    const operations: Record<string, (s3: S3Client) => Promise<unknown>> = {
      listBuckets: (s3) => s3.send(new ListBucketsCommand({})),
      list: (s3) => s3.send(new ListObjectsV2Command({ Bucket })),
      read: async (s3) => (await s3.send(new GetObjectCommand({ Bucket, Key: 'k' }))).Body?.transformToString(),
      write: (s3) => put(s3, Bucket, 'written'),
      remove: (s3) => s3.send(new DeleteObjectCommand({ Bucket, Key: 'written' })),
    }
    const may: Record<string, readonly string[]> = {
      Manager: ['listBuckets', 'list', 'read', 'write', 'remove'],
      Writer: ['listBuckets', 'list', 'read', 'write', 'remove'],
      Reader: ['listBuckets', 'list', 'read'],
      'Content Reader': ['list', 'read'],
      'Object Reader': ['read'],
      'Object Writer': ['write'],
      None: [],
    }
    for (const [role, permitted] of Object.entries(may)) {
      const s3 = s3For(server, await makeKey(a, ofA.instance.guid, role))
      for (const [name, run] of Object.entries(operations)) {
        if (permitted.includes(name)) await run(s3)
        else await assert.rejects(run(s3), named('AccessDenied'), `${role} may not ${name}`)
      }
    }
  })

  await t.test('another account', async () => {
    const Bucket = 'of-a-one'
    const stranger = ofB.s3
    const reads = [
      () => stranger.send(new GetObjectCommand({ Bucket, Key: 'k' })),
      () => stranger.send(new ListObjectsV2Command({ Bucket })),
      () => put(stranger, Bucket),
    ]
    for (const run of reads) {
      await assert.rejects(run(), (error: Error) => {
        assert.equal(error.name, 'AccessDenied')
        return !error.message.includes(a.account.id)
      })
    }
    await assert.rejects(stranger.send(new CreateBucketCommand({ Bucket })), named('BucketAlreadyExists'))
    const ibm = ibmFor(server, b.account.apiKey, ofA.instance.guid)
    await assert.rejects(ibm.listBuckets().promise(), { code: 'AccessDenied' })
    await assert.rejects(ibm.createBucket({ Bucket: 'of-b-in-a' }).promise(), { code: 'AccessDenied' })
    const { Buckets } = await stranger.send(new ListBucketsCommand({}))
    assert.deepEqual(Buckets, [])
  })

  await t.test('a policy on one bucket opens that bucket', async () => {
    const bucket: [string, string][] = [
      ['serviceName', 'cloud-object-storage'],
      ['serviceInstance', ofA.instance.guid],
      ['resourceType', 'bucket'],
      ['resource', 'of-a-two'],
    ]
    const reader = await identity(server, a, [iamRole('Reader')], bucket)
    const ibm = ibmFor(server, reader.account.apiKey, ofA.instance.guid)
    assert.equal(String((await ibm.getObject({ Bucket: 'of-a-two', Key: 'k' }).promise()).Body), 'x')
    await assert.rejects(ibm.getObject({ Bucket: 'of-a-one', Key: 'k' }).promise(), { code: 'AccessDenied' })
    await assert.rejects(ibm.putObject({ Bucket: 'of-a-two', Key: 'k', Body: 'y' }).promise(), { code: 'AccessDenied' })
  })

  await t.test('a person of the account is told what is missing', async () => {
    const nobody = await identity(server, a, [iamRole('Reader')], [['serviceName', 'kms']])
    const answer = await fetch(`${server.bootstrap.endpoints.cos}/of-a-one/k`, {
      headers: { authorization: `Bearer ${await nobody.token()}` },
    })
    assert.equal(answer.status, 403)
    assert.match(answer.headers.get('keyward-explanation') ?? '', /action="cloud-object-storage.object.get".*role=/)
    assert.match(await answer.text(), /<Code>AccessDenied<.*on bucket of-a-one/)
  })
})

test('service credentials: made, shown to whom they may be, and gone at once', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b } = server
  const { instance, key, s3 } = await makeStorage(server, a)
  const controllerOf = (apikey: string) =>
    new ResourceController({
      authenticator: new IamAuthenticator({ apikey, url: server.bootstrap.endpoints.iam }),
      serviceUrl: server.bootstrap.endpoints.resourceController,
    })
  const controller = controllerOf(a.account.apiKey)

  const made = await controller.createResourceKey({ name: 'by the SDK', source: instance.guid, role: 'Writer' })
  assert.equal(made.status, 201)
  const { id = '', guid = '', credentials } = made.result
  const held: Json = credentials
  assert.equal(held.cos_hmac_keys, undefined)
  assert.equal(held.endpoints, server.bootstrap.endpoints.cos)
  assert.equal(held.resource_instance_id, instance.id)
  assert.match(held.iam_serviceid_crn, /^crn:v1:bluemix:public:iam-identity::a\/.*::serviceid:ServiceId-/)
  assert.ok(await api(server.baseUrl, { ...a.account, apiKey: held.apikey }).token())

  assert.deepEqual((await controller.getResourceKey({ id })).result.credentials, credentials)
  const renamed = await controller.updateResourceKey({ id: guid, name: 'renamed' })
  assert.deepEqual([renamed.result.name, renamed.result.crn], ['renamed', id])
  const { result } = await controller.listResourceKeys({ name: 'renamed' })
  assert.deepEqual(
    result.resources.map((one) => one.guid),
    [guid],
  )
  const first = await controller.listResourceKeysForInstance({ id: instance.id, limit: 1 })
  assert.deepEqual(
    first.result.resources.map((one) => one.guid),
    [key.guid],
  )
  const start = new URL(String(first.result.next_url), server.baseUrl).searchParams.get('start') ?? ''
  const second = await controller.listResourceKeys({ limit: 1, start })
  assert.deepEqual(
    second.result.resources.map((one) => one.guid),
    [guid],
  )

  const ofViewer = await identity(
    server,
    a,
    ['crn:v1:bluemix:public:iam::::role:Viewer'],
    [['serviceName', 'cloud-object-storage']],
  )
  const seen = await ofViewer.expect(200, 'GET', `/v2/resource_keys/${guid}`)
  assert.deepEqual(seen.credentials, { REDACTED: 'REDACTED' })
  await ofViewer.expect(403, 'DELETE', `/v2/resource_keys/${guid}`)
  // Whoever administers the instance and may not do what the credential may is not shown it either.
  const administrator = ['crn:v1:bluemix:public:iam::::role:Administrator']
  const ofAdministrator = await identity(server, a, administrator, [['serviceName', 'cloud-object-storage']])
  const without = await ofAdministrator.expect(200, 'GET', `/v2/resource_keys/${guid}`)
  assert.deepEqual(without.credentials, { REDACTED: 'REDACTED' })
  const body = { name: 'more', source: instance.guid, role: 'Manager' }
  await ofAdministrator.expect(403, 'POST', '/v2/resource_keys', { body })

  await b.expect(404, 'GET', `/v2/resource_keys/${guid}`)
  await b.expect(404, 'DELETE', `/v2/resource_keys/${guid}`)
  await b.expect(404, 'POST', '/v2/resource_keys', { body: { name: 'x', source: instance.id } })
  await a.expect(400, 'POST', '/v2/resource_keys', { body: { name: 'x', source: instance.id, role: 'Emperor' } })
  const hmacOfKms = { name: 'x', source: a.account.kmsInstanceId, parameters: { HMAC: true } }
  await a.expect(400, 'POST', '/v2/resource_keys', { body: hmacOfKms })
  const forKms = await a.expect(201, 'POST', '/v2/resource_keys', {
    body: { ...hmacOfKms, parameters: {}, role: 'Reader' },
  })
  const reader = api(server.baseUrl, { ...a.account, apiKey: forKms.credentials.apikey })
  await reader.kms(200, 'GET', '/keys')

  // What was refused on the way has left no service id behind.
  const ids = await a.expect(200, 'GET', `/v1/serviceids?account_id=${a.account.id}`)
  assert.deepEqual(ids.serviceids.map((one: Json) => one.name).toSorted(), [
    'by the SDK',
    'somebody',
    'somebody',
    'storage key',
    'x',
  ])

  await s3.send(new CreateBucketCommand({ Bucket: 'with-credentials' }))
  await controller.deleteResourceKey({ id: key.id })
  await assert.rejects(s3.send(new HeadBucketCommand({ Bucket: 'with-credentials' })))
  await assert.rejects(s3.send(new ListBucketsCommand({})), named('InvalidAccessKeyId'))
  await a.expect(404, 'GET', `/v2/resource_keys/${key.guid}`)
})

test('what an instance holds is shut while it is deleted, back when it is restored, and gone when it is reclaimed', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b } = server
  const { instance, s3 } = await makeStorage(server, a)
  const Bucket = 'with-its-instance'
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: 'x' }))
  const ibm = ibmFor(server, a.account.apiKey, instance.guid)
  await a.expect(409, 'DELETE', `/v2/resource_instances/${instance.guid}`)
  await a.expect(204, 'DELETE', `/v2/resource_instances/${instance.guid}?recursive=true`)
  await assert.rejects(s3.send(new ListBucketsCommand({})), named('InvalidAccessKeyId'))
  await assert.rejects(ibm.getObject({ Bucket, Key: 'k' }).promise(), { code: 'AccessDenied' })
  const { resources } = await a.expect(200, 'GET', '/v1/reclamations')
  await a.expect(200, 'POST', `/v1/reclamations/${resources[0].id}/actions/restore`)
  assert.equal(String((await ibm.getObject({ Bucket, Key: 'k' }).promise()).Body), 'x')

  await a.expect(204, 'DELETE', `/v2/resource_instances/${instance.guid}`)
  const again = await a.expect(200, 'GET', '/v1/reclamations')
  await a.expect(200, 'POST', `/v1/reclamations/${again.resources[0].id}/actions/reclaim`)
  await assert.rejects(ibm.getObject({ Bucket, Key: 'k' }).promise(), { code: 'NoSuchBucket' })
  const ofB = await makeStorage(server, b)
  await until(
    () =>
      ofB.s3.send(new CreateBucketCommand({ Bucket })).then(
        () => true,
        () => false,
      ),
    (done) => done,
  )
  await assert.rejects(ofB.s3.send(new HeadObjectCommand({ Bucket, Key: 'k' })), named('NotFound'))
  const folder = join(server.folder, 'objects')
  assert.deepEqual(
    readdirSync(folder).flatMap((name) => readdirSync(join(folder, name))),
    [],
  )
})

test('objects and keys outlive a kill and a new master key; half an object does not', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  const { s3, key } = await makeStorage(first, first.a)
  const Bucket = 'kept'
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key: 'whole', Body: 'whole' }))
  const objects = join(folder, 'objects')
  const files = () => readdirSync(objects).flatMap((name) => readdirSync(join(objects, name)))
  const { hostname, port } = new URL(first.bootstrap.endpoints.cos)
  const headers = { authorization: `Bearer ${await first.a.token()}`, 'content-length': '1000000' }
  const half = request({ hostname, port, method: 'PUT', path: `/${Bucket}/half`, headers })
  half.on('error', () => {})
  half.write('x'.repeat(100_000))
  await until(
    async () => files().length,
    (count) => count === 2,
  )
  await first.kill()

  const rotated = await runToEnd(['master-key', 'rotate', '--data', folder])
  assert.equal(rotated.code, 0, rotated.stderr)
  const second = await startServer(t, folder)
  await until(
    async () => files().length,
    (count) => count === 1,
  )
  const again = s3For(second, key)
  const got = await again.send(new GetObjectCommand({ Bucket, Key: 'whole' }))
  assert.equal(await got.Body?.transformToString(), 'whole')
  await assert.rejects(again.send(new GetObjectCommand({ Bucket, Key: 'half' })), named('NoSuchKey'))
  const shown = await second.a.expect(200, 'GET', `/v2/resource_keys/${key.guid}`)
  assert.deepEqual({ ...shown.credentials, endpoints: '' }, { ...key.credentials, endpoints: '' })
})
