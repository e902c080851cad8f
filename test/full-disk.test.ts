// A tenant who writes the disk full must not keep the owner of the key from taking it away.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { TestContext } from 'node:test'
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { run, tlsUri, tryNbdsh } from './harness/nbd.ts'
import { afterwards, startServer, tempFolder } from './harness/server.ts'
import { makeStorage } from './harness/storage.ts'
import { attach, authorization, makeRootKey, makeVolume, volumeIs } from './harness/story.ts'

/** A small file system of the test's own, or null where mounting is not permitted. */
function smallDisk(t: TestContext): string | null {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-test-'))
  afterwards(t, () => {
    run('umount', '--lazy', folder)
    rmSync(folder, { recursive: true, force: true })
  })
  const { status } = run('mount', '-t', 'tmpfs', '-o', 'size=64m,mode=0700', 'keyward-test', folder)
  return status === 0 ? folder : null
}

const fill = [
  'import os',
  'block = os.urandom(1 << 20)',
  'n = 0',
  'try:',
  '    while True:',
  '        h.pwrite(block, n << 20); n += 1',
  'except nbd.Error as e:',
  '    print(n, e.errno)',
].join('\n')

test('a key is disabled on a full disk, and what ran under it stops', async (t) => {
  const folder = smallDisk(t)
  if (folder === null) return t.skip('file systems cannot be mounted here')
  const { a, b } = await startServer(t, folder)
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, key.crn)
  const { connection } = await attach(b, volume.id)
  const uri = tlsUri(connection, tempFolder(t))

  const { stdout } = tryNbdsh(uri, fill)
  const [, written, error] = /^(\d+) (\w+)/.exec(stdout) ?? []
  assert.ok(Number(written) > 10, stdout)
  assert.equal(error, 'ENOSPC')

  await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
  assert.notEqual(tryNbdsh(uri, 'h.pread(512, 0)').status, 0)
  await volumeIs(b, volume.id, 'unusable')
})

test('an object that finds no room is refused, and leaves the room that there was', async (t) => {
  const folder = smallDisk(t)
  if (folder === null) return t.skip('file systems cannot be mounted here')
  const server = await startServer(t, folder)
  const { s3 } = await makeStorage(server, server.a)
  const Bucket = 'full-disk'
  await s3.send(new CreateBucketCommand({ Bucket }))
  const large = { Bucket, Key: 'k', Body: Buffer.alloc(80 << 20) }
  await assert.rejects(s3.send(new PutObjectCommand(large)), (error: Error) => error.name === 'ServiceUnavailable')
  await assert.rejects(
    s3.send(new GetObjectCommand({ Bucket, Key: 'k' })),
    (error: Error) => error.name === 'NoSuchKey',
  )
  await s3.send(new PutObjectCommand({ Bucket, Key: 'k', Body: Buffer.alloc(20 << 20) }))
})
