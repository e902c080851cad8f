// What object storage leaves in the audit trail: who did what with which bucket and object, by token and by HMAC key, also
// in vain; what strangers learn from their own trail; and that the records stand in the account's signed log.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteObjectCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadBucketCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { entriesOf, logOf, opened, rootOf } from './harness/audit-log.ts'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { bucketName, imageAuthorization, imageBody, makeBucket, putFile } from './harness/images.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { curl, ibmFor, makeStorage } from './harness/storage.ts'

const service = 'cloud-object-storage.'

const trail = async (reader: Api, query = ''): Promise<Json[]> => {
  const path = `/keyward/v1/audit?account_id=${reader.account.id}&order=oldest&limit=100${query}`
  const { records } = await reader.expect(200, 'GET', path)
  return records.filter(({ action }: Json) => action.startsWith(service))
}

const brief = ({ action, reason }: Json): string => `${action.slice(service.length)} ${reason.reasonCode}`
const briefs = async (reader: Api): Promise<string[]> => (await trail(reader)).map(brief).toSorted()

test('what is done by HMAC key is recorded under the name of its service id, and stands in the log', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a } = server
  const { instance, key, s3 } = await makeStorage(server, a)
  const [Bucket, Key, content] = ['audited', 'folder/an object', 'content-that-is-nobodys-business']
  await s3.send(new CreateBucketCommand({ Bucket }))
  await s3.send(new PutObjectCommand({ Bucket, Key, Body: content, Metadata: { note: 'metadata-of-it' } }))
  await (await s3.send(new GetObjectCommand({ Bucket, Key }))).Body?.transformToString()
  await assert.rejects(s3.send(new GetObjectCommand({ Bucket, Key: 'nothing' })))
  await s3.send(new CopyObjectCommand({ Bucket, Key: 'copy', CopySource: `${Bucket}/${encodeURIComponent(Key)}` }))
  await s3.send(new ListObjectsV2Command({ Bucket, Prefix: 'folder/' }))
  await s3.send(new ListBucketsCommand({}))
  await s3.send(new HeadBucketCommand({ Bucket }))
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'big' }))
  const upload = { Bucket, Key: 'big', UploadId }
  const { ETag } = await s3.send(new UploadPartCommand({ ...upload, PartNumber: 1, Body: content }))
  await s3.send(new ListPartsCommand(upload))
  await s3.send(new ListMultipartUploadsCommand({ Bucket }))
  const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
  await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload }))
  const given = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key: 'given up' }))
  await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: 'given up', UploadId: given.UploadId }))
  const Objects = ['big', 'copy'].map((name) => ({ Key: name }))
  await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects } }))
  await assert.rejects(s3.send(new DeleteBucketCommand({ Bucket })))
  await s3.send(new DeleteObjectCommand({ Bucket, Key }))
  await s3.send(new DeleteBucketCommand({ Bucket }))

  const records = await trail(a)
  assert.deepEqual(records.map(brief).toSorted(), [
    'bucket-metadata.read 200',
    'bucket-multipart.list 200',
    'bucket.create 200',
    'bucket.delete 204',
    'bucket.delete 409',
    'bucket.list 200',
    'instance.list 200',
    'object-batch.delete 204',
    'object-batch.delete 204',
    'object-copy.create 200',
    'object-copy.read 200',
    'object-multipart.complete 200',
    'object-multipart.create 200',
    'object-multipart.delete 204',
    'object-multipart.list 200',
    'object-multipart.start 200',
    'object-multipart.start 200',
    'object.create 200',
    'object.delete 204',
    'object.read 200',
    'object.read 404',
    'objects.delete 200',
  ])
  const of = (action: string): Json => records.find((record) => brief(record) === action)
  const instanceCrn = `crn:v1:bluemix:public:cloud-object-storage:global:a/${a.account.id}:${instance.guid}`
  for (const { initiator, target, responseData, outcome } of records) {
    assert.match(initiator.id, /^iam-ServiceId-/)
    assert.equal(initiator.typeURI, 'service/security/account/serviceid')
    assert.equal(initiator.host.address, '127.0.0.1')
    assert.ok(target.id.startsWith(instanceCrn), target.id)
    if (outcome === 'success') assert.equal(responseData.serviceInstanceId, instance.guid)
  }
  assert.equal(of('object.create 200').target.id, `${instanceCrn}:bucket:${Bucket}`)
  assert.equal(of('object.create 200').target.typeURI, 'cloud-object-storage/object')
  assert.equal(of('object.create 200').requestData.objectName, Key)
  assert.equal(of('instance.list 200').target.id, `${instanceCrn}::`)
  assert.equal(of('bucket.list 200').requestData.prefix, 'folder/')
  assert.equal(of('object-copy.read 200').requestData.objectName, Key)
  assert.equal(of('object-copy.create 200').requestData.objectName, 'copy')
  assert.equal(of('object-copy.read 200').correlationId, of('object-copy.create 200').correlationId)
  const batch = records.filter((record) => brief(record) === 'object-batch.delete 204')
  assert.deepEqual(batch.map(({ requestData }) => requestData.objectName).toSorted(), ['big', 'copy'])
  for (const { correlationId } of batch) assert.equal(correlationId, of('objects.delete 200').correlationId)
  for (const verb of ['create', 'list', 'complete'])
    assert.equal(of(`object-multipart.${verb} 200`).responseData.uploadId, UploadId)
  const text = JSON.stringify(records)
  const { access_key_id: id, secret_access_key: secret } = key.credentials.cos_hmac_keys
  for (const hidden of [content, 'metadata-of-it', secret, id, 'Signature']) assert.ok(!text.includes(hidden), hidden)

  const entries = await entriesOf(a, 1000)
  const logged = entries.map((entry) => JSON.parse(entry)).filter(({ action }) => action.startsWith(service))
  assert.deepEqual(logged, records)
  assert.deepEqual(rootOf(entries), opened(await logOf(a, '/checkpoint')).root)
})

test('what is done by token is recorded under its name; a presigned URL leaves no signature behind', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a } = server
  const { instance, key } = await makeStorage(server, a)
  const ibm = ibmFor(server, a.account.apiKey, instance.guid)
  await ibm.createBucket({ Bucket: 'by-token' }).promise()
  await ibm.putObject({ Bucket: 'by-token', Key: 'k', Body: 'x' }).promise()
  await ibm.listBuckets().promise()
  const [created, put, listed] = await trail(a)
  assert.deepEqual([created, put, listed].map(brief), ['bucket.create 200', 'object.create 200', 'instance.list 200'])
  for (const { initiator } of [created, put, listed]) assert.match(initiator.id, /^IBMid-/)

  const url = `${server.bootstrap.endpoints.cos}/by-token/k?X-Amz-Signature=${'c0ffee42'.repeat(8)}&X-Amz-Algorithm=AWS4-HMAC-SHA256`
  const { access_key_id: id } = key.credentials.cos_hmac_keys
  const scope = `${id}%2F20200101%2Fus-south%2Fs3%2Faws4_request`
  const more = '&X-Amz-Date=20200101T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host'
  assert.equal(curl(`${url}&X-Amz-Credential=${scope}${more}`).status, 403)
  const refused = (await trail(a)).at(-1)
  assert.equal(brief(refused), 'object.read 403')
  assert.equal(refused?.severity, 'critical')
  assert.equal(refused?.initiator.id, '')
  assert.ok(!JSON.stringify(refused).includes('c0ffee42'))
  // What is not built is refused without a record of something else.
  const before = (await trail(a)).length
  const headers = ['--header', `authorization: Bearer ${await a.token()}`]
  assert.equal(curl(`${server.bootstrap.endpoints.cos}/by-token?acl`, ...headers).status, 501)
  assert.equal((await trail(a)).length, before)
})

test('a stranger shows in the trail of the bucket, and learns from its own only what it said', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b } = server
  const ofA = await makeStorage(server, a)
  const ofB = await makeStorage(server, b)
  await ofA.s3.send(new CreateBucketCommand({ Bucket: 'of-a' }))
  await ofA.s3.send(new PutObjectCommand({ Bucket: 'of-a', Key: 'k', Body: 'x' }))
  const before = (await trail(a)).length
  const { cos } = server.bootstrap.endpoints
  const token = ['--header', `authorization: Bearer ${await b.token()}`]
  await assert.rejects(ofB.s3.send(new GetObjectCommand({ Bucket: 'of-a', Key: 'k' })))
  assert.equal(curl(`${cos}/of-a/k`, '--request', 'DELETE', ...token).status, 403)
  await assert.rejects(ofB.s3.send(new CreateBucketCommand({ Bucket: 'of-a' })))
  await assert.rejects(ofB.s3.send(new CopyObjectCommand({ Bucket: 'of-a', Key: 'copy', CopySource: '/of-a/k' })))
  // Malformed, which is found before anybody asks whether it may.
  assert.equal(curl(`${cos}/of-a?list-type=3`, ...token).status, 400)
  assert.equal(curl(`${cos}/of-a?delete`, '--data', '<wrong', ...token).status, 400)
  const instanceOfA = ['--header', `ibm-service-instance-id: ${ofA.instance.guid}`]
  assert.equal(curl(`${cos}/in-a`, '--request', 'PUT', ...instanceOfA, ...token).status, 403)
  assert.equal(curl(`${cos}/of-a/k`).status, 403)

  const tried = [
    'bucket.create 403',
    'bucket.list 400',
    'object-copy.create 403',
    'object-copy.read 403',
    'object.delete 403',
    'object.read 403',
    'objects.delete 400',
  ]
  const seen = (await trail(a)).slice(before)
  assert.deepEqual(seen.map(brief).toSorted(), [...tried, 'object.read 403'].toSorted())
  for (const { target } of seen) assert.ok(target.id.includes(a.account.id))
  assert.deepEqual(await briefs(b), [...tried, 'bucket.create 409'].toSorted())
  const own = JSON.stringify(await trail(b))
  assert.ok(!own.includes(a.account.id))
  assert.ok(!own.includes('counterpartId'))
  const said = (await trail(b)).filter(({ reason }) => reason.reasonCode !== 409)
  const tells = said.filter(({ action }) => !action.endsWith('.bucket.create'))
  assert.ok(!JSON.stringify(tells).includes(ofA.instance.guid))
})

test('what a kill interrupts keeps the records of what was done, and a reclaimed instance leaves one', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  const { instance, s3 } = await makeStorage(first, first.a)
  await s3.send(new CreateBucketCommand({ Bucket: 'kept' }))
  await s3.send(new PutObjectCommand({ Bucket: 'kept', Key: 'k', Body: 'x' }))
  await first.kill()
  const { a } = await startServer(t, folder)
  assert.deepEqual(await briefs(a), ['bucket.create 200', 'object.create 200'])

  await a.expect(204, 'DELETE', `/v2/resource_instances/${instance.guid}?recursive=true`)
  const { resources } = await a.expect(200, 'GET', '/v1/reclamations')
  await a.expect(200, 'POST', `/v1/reclamations/${resources[0].id}/actions/reclaim`)
  await until(
    () => trail(a),
    (records) => records.length === 3,
  )
  const removed = (await trail(a)).at(-1)
  assert.equal(brief(removed), 'bucket.delete 204')
  assert.deepEqual([removed?.initiator.id, removed?.initiator.name], ['', 'Object Storage'])
})

test('a service that reads for another account shows in both trails, and where it was refused too', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b } = server
  await putFile(await makeBucket(server, a), 'disk.raw', Buffer.alloc(1024 * 1024))
  await b.vpc(403, 'POST', '/images', imageBody('disk.raw'))
  await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b) })
  await b.vpc(201, 'POST', '/images', imageBody('disk.raw'))

  const ofService = (records: readonly Json[]): Json[] => records.filter(({ initiator }) => initiator.name === 'is')
  const [refused, read] = ofService(await trail(a))
  assert.deepEqual([refused, read].map(brief), ['object.read 403', 'object.read 200'])
  for (const record of [refused, read]) {
    assert.equal(record?.initiator.id, `crn-crn:v1:bluemix:public:is::a/${b.account.id}:::`)
    assert.ok(record?.target.id.endsWith(`:bucket:${bucketName}`))
    assert.equal(record?.requestData.objectName, 'disk.raw')
  }
  const [ownRefused, ownRead] = ofService(await trail(b))
  assert.deepEqual([ownRefused, ownRead].map(brief), ['object.read 403', 'object.read 200'])
  assert.equal(ownRefused?.counterpartId, undefined)
  assert.ok(!ownRefused?.target.id.includes(a.account.id))
  assert.deepEqual([ownRead?.counterpartId, read?.counterpartId], [read?.id, ownRead?.id])
})
