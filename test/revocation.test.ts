// `--revocation until-stop`: volumes in use when their key is disabled run on until their machine stops. That without it
// they stop at once is mission.test.ts.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import { nbdsh, startNbdsh, tlsUri, tryNbdsh } from './harness/nbd.ts'
import { runToEnd, startServer, tempFolder } from './harness/server.ts'
import { attach, authorization, connect, makeRootKey, makeVolume, volumeBody, volumeIs } from './harness/story.ts'

/** Writes, reads back, and says so, until a file is there that tells it to end. */
const workUntil = (path: string): string =>
  [
    'import os, time',
    'h.pwrite(b"run on".ljust(4096), 0); h.flush()',
    'print("begun", flush=True)',
    `while not os.path.exists("${path}"):`,
    '  h.pwrite(b"run on".ljust(4096), 0); h.flush()',
    '  assert h.pread(6, 0) == b"run on"',
    '  time.sleep(0.05)',
    'print("done", flush=True)',
  ].join('\n')

test('volumes in use run on when their key is disabled, and nothing is opened under it any more', async (t) => {
  const folder = tempFolder(t)
  const { a, b, advance } = await startServer(t, folder, ['--revocation', 'until-stop'])
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  const volume = await makeVolume(b, key.crn)
  const spare = await makeVolume(b, key.crn)
  const { instanceId, attachmentId, connection } = await attach(b, volume.id)
  const uri = tlsUri(connection, folder)
  const worker = startNbdsh(uri, workUntil(`${folder}/enough`))
  await worker.started

  await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
  // What is not in use follows its key; by then the service has looked at all of them.
  assert.equal((await volumeIs(b, spare.id, 'unusable')).status_reasons[0].code, 'encryption_key_disabled')
  const running = await b.vpc(200, 'GET', `/volumes/${volume.id}`)
  assert.deepEqual([running.status, running.status_reasons, running.active], ['available', [], true])
  assert.equal(nbdsh(uri, 'print(h.pread(6, 0).decode())'), 'run on')

  await b.vpc(400, 'POST', '/volumes', volumeBody(key.crn))
  await b.vpc(409, 'POST', `/instances/${instanceId}/volume_attachments`, { volume: { id: spare.id } })
  await b.expect(409, 'POST', `/keyward/v1/instances/${instanceId}/volume_attachments/${attachmentId}/connection`)

  await b.vpc(201, 'POST', `/instances/${instanceId}/actions`, { type: 'stop' })
  assert.notEqual((await worker.ended).status, 0, 'the machine has stopped, and its volume with it')
  await until(
    () => b.vpc(200, 'GET', `/instances/${instanceId}`),
    ({ status }) => status === 'stopped',
  )
  assert.equal((await volumeIs(b, volume.id, 'unusable')).status_reasons[0].code, 'encryption_key_disabled')
  await b.vpc(409, 'POST', `/instances/${instanceId}/actions`, { type: 'start' })

  await advance(30)
  await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
  await volumeIs(b, volume.id, 'available')
  await b.vpc(201, 'POST', `/instances/${instanceId}/actions`, { type: 'start' })
  const again = tlsUri(await connect(b, instanceId, attachmentId), folder)
  assert.equal(nbdsh(again, 'print(h.pread(6, 0).decode())'), 'run on')

  // A key that is deleted stops everything under it, whatever the setting says.
  const last = startNbdsh(again, workUntil(`${folder}/never`))
  await last.started
  await a.kms(204, 'DELETE', `/keys/${key.id}?force=true`)
  assert.notEqual(tryNbdsh(again, 'h.pread(512, 0)').status, 0)
  assert.notEqual((await last.ended).status, 0)
})

test('a setting that is not one of the two is refused', async (t) => {
  const { code, stderr } = await runToEnd(['--data', tempFolder(t), '--revocation', 'never'])
  assert.notEqual(code, 0)
  assert.match(stderr, /--revocation must be at-once or until-stop/)
})
