// A volume whose sectors say when they were changed, from outside: asked for by a tag, written by real NBD clients, and
// changed and put back on the disk of the host, which its account is told of.

import assert from 'node:assert/strict'
import { closeSync, existsSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import { nbdsh, run, tlsUri, tryNbdsh } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { attach, authorization, connect, makeRootKey, makeVolume, volumeIs } from './harness/story.ts'

const tag = 'keyward:integrity'
/** Where the data begin in an image; docs/formats.md. */
const dataOffset = 16_777_216
const sector = 4096

const imageOf = (folder: string, id: string): string => join(folder, 'volumes', id, 'volume.luks')
const tagsOf = (folder: string, id: string): string => join(folder, 'volumes', id, 'volume.tags')

function flipBit(path: string, offset: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, offset)
  writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 4]), 0, 1, offset)
  closeSync(file)
}

/** Holes stay holes. */
function copyFolder(from: string, to: string): void {
  const { status, stderr } = run('cp', '-rT', '--sparse=always', from, to)
  assert.equal(status, 0, stderr)
}

const write = (uri: string, at: number, text: string): string =>
  nbdsh(uri, `h.pwrite(bytearray(b"${text}" * ${sector / text.length}), ${at * sector}); h.flush()`)
const read = (uri: string, at: number): string => nbdsh(uri, `print(h.pread(8, ${at * sector}).decode())`)

const healthIs = (user: Api, id: string, state: string): Promise<Json> =>
  until(
    () => user.vpc(200, 'GET', `/volumes/${id}`),
    ({ health_state: now }) => now === state,
  )

const checks = async (user: Api): Promise<Json[]> => {
  const { records } = await user.expect(200, 'GET', `/keyward/v1/audit?account_id=${user.account.id}&order=oldest`)
  return records.filter(({ action }: Json) => action === 'is.volume.integrity-check')
}

test('changed sectors are read as errors, a volume that was put back does not open, and its account reads of it', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  const key = await makeRootKey(first.a)
  await first.a.expect(201, 'POST', '/v1/policies', { body: authorization(first.a, first.b) })
  const volume = await makeVolume(first.b, key.crn, { user_tags: ['Env:Test', 'Keyward:Integrity'] })
  const { id } = volume
  assert.deepEqual(volume.user_tags, ['env:test', tag])
  assert.equal(volume.health_state, 'ok')
  const { connection, instanceId, attachmentId } = await attach(first.b, id)
  const uri = tlsUri(connection, folder)

  await t.test('libnbd and qemu read what they have written', () => {
    write(uri, 0, 'sector-0')
    write(uri, 1, 'sector-1')
    const unix = connection.unix_uri
    for (const command of ['write -P 0x5a 1M 3M', 'write -z 2M 64k', 'discard 3M 64k', 'flush', 'read -P 0 2M 64k']) {
      const { status, stderr, stdout } = run('qemu-io', '-f', 'raw', '-t', 'none', '-c', command, unix)
      assert.equal(status, 0, `${command}: ${stderr}${stdout}`)
    }
    const { stdout } = run('qemu-io', '-f', 'raw', '-c', 'read -P 0x5a 1M 1M', unix)
    assert.doesNotMatch(stdout, /verification failed/)
    const map = run('nbdinfo', '--map', '--totals', unix)
    assert.equal(map.status, 0, map.stderr)
    assert.ok(existsSync(tagsOf(folder, id)))
  })

  await t.test(
    'a changed sector is EIO, and shows in the health of the volume and in the trail of its account',
    async () => {
      flipBit(imageOf(folder, id), dataOffset + sector + 100)
      const { status, stderr } = tryNbdsh(uri, `h.pread(${sector}, ${sector})`)
      assert.notEqual(status, 0)
      assert.match(stderr, /Input\/output error/)
      assert.equal(read(uri, 0), 'sector-0')
      const damaged = await healthIs(first.b, id, 'degraded')
      assert.equal(damaged.status, 'available')
      assert.equal(damaged.health_reasons[0].code, 'volume_integrity_damaged')
      assert.match(damaged.health_reasons[0].message, /: 1$/)
      const [record] = await checks(first.b)
      assert.deepEqual([record.outcome, record.target.id, record.severity], ['failure', volume.crn, 'critical'])
      assert.deepEqual(record.responseData.sectors, [1])
      assert.deepEqual(await checks(first.a), [], 'the owner of the key has nothing to do with it')
    },
  )

  await t.test('written again it is good again', async () => {
    write(uri, 1, 'sector-A')
    assert.equal(read(uri, 1), 'sector-A')
    assert.deepEqual((await healthIs(first.b, id, 'ok')).health_reasons, [])
    assert.equal((await checks(first.b)).at(-1)?.outcome, 'success')
  })

  await t.test('the tag is for the life of the volume, and what is not supported says so', async () => {
    const { etag } = await first.b
      .send('GET', `/v1/volumes/${id}?version=2026-03-24&generation=2`)
      .then(({ headers }) => ({ etag: headers.get('etag') ?? '' }))
    const patch = (of: string, user_tags: string[], ifMatch = etag) =>
      first.b.send('PATCH', `/v1/volumes/${of}?version=2026-03-24&generation=2`, {
        body: { user_tags },
        headers: { 'if-match': ifMatch },
      })
    const refused = await patch(id, ['env:test'])
    assert.equal(refused.status, 400)
    assert.equal(refused.body.errors[0].target.name, 'user_tags')
    assert.equal((await patch(id, [tag, 'env:live'])).status, 200)
    const plain = await makeVolume(first.b, key.crn, { name: 'plain' })
    const late = await patch(plain.id, [tag], '*')
    assert.equal(late.status, 400, JSON.stringify(late.body))
    assert.ok(!existsSync(tagsOf(folder, plain.id)))
    const snapshot = await first.b.vpc(501, 'POST', '/snapshots', { source_volume: { id } })
    assert.equal(snapshot.errors[0].target.name, 'source_volume')
  })

  await t.test('it grows', async () => {
    await first.b.vpc(200, 'PATCH', `/volumes/${id}`, { capacity: 20 })
    await volumeIs(first.b, id, 'available')
  })

  await first.stop()
  copyFolder(join(folder, 'volumes', id), join(folder, 'past'))
  const second = await startServer(t, folder)
  const again = tlsUri(await connect(second.b, instanceId, attachmentId), folder)

  await t.test('what was flushed survives the end of everything', async () => {
    assert.equal(read(again, 1), 'sector-A')
    const size = nbdsh(again, 'print(h.get_size())')
    assert.equal(Number(size), 20 * 2 ** 30)
    write(again, 20 * 2 ** 18 - 1, 'the-last')
    write(again, 1, 'sector-B')
    await second.kill()
  })

  copyFolder(join(folder, 'volumes', id), join(folder, 'present'))
  copyFolder(join(folder, 'past'), join(folder, 'volumes', id))
  const third = await startServer(t, folder)
  const putBack = tlsUri(await connect(third.b, instanceId, attachmentId), folder)

  await t.test('a volume that was put back whole does not open', async () => {
    const { status, stderr } = tryNbdsh(putBack, `h.pread(${sector}, ${sector})`)
    assert.notEqual(status, 0)
    assert.doesNotMatch(stderr, /sector-A/)
    const lost = await healthIs(third.b, id, 'faulted')
    assert.equal(lost.health_reasons[0].code, 'volume_integrity_lost')
    assert.equal((await checks(third.b)).at(-1)?.responseData.isLost, true)
  })

  await t.test('as it was left it opens again', async () => {
    copyFolder(join(folder, 'present'), join(folder, 'volumes', id))
    assert.equal(read(putBack, 1), 'sector-B')
    assert.equal(read(putBack, 20 * 2 ** 18 - 1), 'the-last')
    await healthIs(third.b, id, 'ok')
  })
})
