// What other services see of object storage: whose authorization they need, and that what they write and read is whole.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import type { Fault } from '#base/fault.ts'
import { makeOutbox } from '#events/outbox.ts'
import type { ServiceSubject } from '#iam/port.ts'
import { make, reader, serviceRole } from '#iam/testing/policies.ts'
import { accountA, accountB, makeWorld, markingSealer } from '#iam/testing/world.ts'
import { makeCos } from './cos.ts'
import { parseCosUrl, printCosUrl } from './port.ts'

const instance = { id: 'i-1', accountId: accountA, resourceGroupId: 'g-1', isActive: true }
const images: ServiceSubject = { kind: 'service', serviceName: 'is', accountId: accountB, resourceType: 'image' }
const bucket = { accountId: accountA, serviceName: 'cloud-object-storage', resourceType: 'bucket', resource: 'of-a' }

async function start(t: TestContext) {
  const world = await makeWorld()
  const dataFolder = mkdtempSync(join(tmpdir(), 'keyward-cos-'))
  t.after(async () => {
    await world[Symbol.asyncDispose]()
    rmSync(dataFolder, { recursive: true, force: true })
  })
  const { database, clock, random, iam } = world
  const cos = makeCos({
    database,
    outbox: makeOutbox(clock, random),
    clock,
    random,
    sealer: markingSealer,
    dataFolder,
    region: 'us-south',
    iam: iam.port,
    credentials: iam.credentials,
    instance: async (id) => (id === instance.id ? instance : null),
  })
  const owner = await world.owner(accountA)
  await cos.buckets.create(owner.caller, { name: 'of-a', instance: instance.id, location: 'eu-de-cold' })
  const authorize = (role: string) =>
    make(world, owner, { serviceName: 'is', accountId: accountB, resourceType: 'image' }, bucket, [role])
  return { cos: cos.port, authorize }
}

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

const name = { bucket: 'of-a', object: 'folder/image.qcow2', location: 'eu-de' }
const written = { ...name, as: images, contentType: 'application/x-qemu-disk' }

test("a service of B reads and writes A's bucket by A's authorization, and is told which one is missing", async (t) => {
  const { cos, authorize } = await start(t)
  const refusal = (action: string, role: string) => (fault: Fault) => {
    assert.equal(fault.code, 'forbidden')
    assert.match(
      fault.message,
      new RegExp(`^account ${accountA} has no authorization that lets is of account ${accountB}`),
    )
    assert.equal(fault.explanation?.action, action)
    assert.match(JSON.stringify(fault.explanation?.missingPolicy), new RegExp(`"authorization".*${role}`))
    return fault.explanation?.account === accountA
  }
  await assert.rejects(cos.readObject({ ...name, as: images }), refusal('cloud-object-storage.object.get', 'Reader'))
  await assert.rejects(
    cos.writeObject({ ...written, body: pieces('x') }),
    refusal('cloud-object-storage.object.put', 'Writer'),
  )

  await authorize(serviceRole('Writer'))
  const { etag, sizeBytes } = await cos.writeObject({ ...written, body: pieces('one ', '', 'two') })
  assert.deepEqual([sizeBytes, etag.length], [7, 32])
  const read = await cos.readObject({ ...name, as: images })
  assert.deepEqual([read.sizeBytes, read.etag, read.contentType], [7, etag, 'application/x-qemu-disk'])
  assert.equal(Buffer.concat(await Array.fromAsync(read.body)).toString(), 'one two')

  const other = { ...name, as: { ...images, serviceName: 'server-protect' } }
  await assert.rejects(cos.readObject(other), (fault: Fault) => fault.code === 'forbidden')
})

test('a reader does not write; what is not there, or lies elsewhere, is not found', async (t) => {
  const { cos, authorize } = await start(t)
  await authorize(reader)
  await assert.rejects(cos.writeObject({ ...written, body: pieces('x') }), (fault: Fault) => fault.code === 'forbidden')
  const reason = (wanted: string) => (fault: Fault) => fault.code === 'not_found' && fault.reason === wanted
  await assert.rejects(cos.readObject({ ...name, as: images }), reason('NoSuchKey'))
  await assert.rejects(cos.readObject({ ...name, bucket: 'of-nobody', as: images }), reason('NoSuchBucket'))
})

test('what ends with an error before its end is not written, and a wrong location neither', async (t) => {
  const { cos, authorize } = await start(t)
  await authorize(serviceRole('Writer'))
  async function* broken() {
    yield Buffer.from('half')
    throw new Error('the source broke')
  }
  await assert.rejects(cos.writeObject({ ...written, body: broken() }), /the source broke/)
  const elsewhere = { ...written, location: 'us-south', body: pieces('x') }
  await assert.rejects(cos.writeObject(elsewhere), (fault: Fault) => fault.reason === 'NoSuchBucket')
  await assert.rejects(cos.readObject({ ...name, as: images }), (fault: Fault) => fault.reason === 'NoSuchKey')
})

test('cos:// names are read as they are written', () => {
  const named = { location: 'us-south', bucket: 'b.c-d', object: 'a b/ü/%2f' }
  assert.deepEqual(parseCosUrl(printCosUrl(named)), named)
  assert.deepEqual(parseCosUrl('cos://us-south/bucket/image.qcow2').object, 'image.qcow2')
  for (const wrong of [
    '',
    'cos://',
    'cos://us-south/bucket',
    'cos://us-south/bucket/',
    's3://us-south/b/o',
    'cos://x/b/%zz',
  ]) {
    assert.throws(
      () => parseCosUrl(wrong),
      (fault: Fault) => fault.code === 'invalid',
    )
  }
})
