// Instances whose machines run here, against machines that start, stop, break and end by themselves.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { FakeCompute } from './testing/fake-compute.ts'
import { accountC } from './testing/fakes.ts'
import { struckEverywhere } from './testing/struck.ts'
import { keyOfA, makeWorld, volumeBody } from './testing/world.ts'
import type { World } from './testing/world.ts'

const world = async () => {
  const compute = new FakeCompute()
  return Object.assign(await makeWorld({ compute }), { compute })
}

const body = (more: Record<string, unknown> = {}) => ({
  name: 'machine',
  zone: { name: 'us-south-3' },
  profile: { name: 'bx2-2x8' },
  image: { id: 'r006-00000000-0000-4000-8000-000000000001' },
  boot_volume_attachment: { volume: { profile: { name: 'general-purpose' }, encryption_key: { crn: keyOfA } } },
  volume_attachments: [{ volume: { name: 'data', capacity: 10, profile: { name: '10iops-tier' } } }],
  ...more,
})

const make = async (of: World, more?: Record<string, unknown>): Promise<string> => {
  const made = await of.call('POST', '/v1/instances', { body: body(more) })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  return made.body.id
}

const shown = async (of: World, id: string): Promise<readonly unknown[]> => {
  const { body: instance } = await of.call('GET', `/v1/instances/${id}`)
  return [instance.status, ...instance.status_reasons.map(({ code }: { code: string }) => code)]
}

const act = (of: World, id: string, type: string, force = false) =>
  of.call('POST', `/v1/instances/${id}/actions`, { body: { type, force } })

test('a machine gets its boot volume first, what its profile says, and runs when it is on', async () => {
  await using of = await world()
  const id = await make(of)
  await of.pass()
  assert.deepEqual(await shown(of, id), ['starting'], 'it is booting')
  await of.pass()
  assert.deepEqual(await shown(of, id), ['running'])
  const { body: instance } = await of.call('GET', `/v1/instances/${id}`)
  const machine = of.compute.machines.get(id)
  assert.deepEqual([machine?.spec.vcpuCount, machine?.spec.memoryMib, machine?.spec.disks.length], [2, 8192, 2])
  const [boot] = machine?.spec.disks ?? []
  assert.deepEqual(
    [boot?.attachmentId, boot?.serial],
    [instance.boot_volume_attachment.id, instance.boot_volume_attachment.device.id],
  )
})

test('an instance without a boot volume is its user’s, and has a connection and no console', async () => {
  await using of = await world()
  const { body: instance } = await of.call('POST', '/v1/instances', {
    body: body({ image: undefined, boot_volume_attachment: undefined }),
  })
  await of.settle()
  assert.deepEqual([await shown(of, instance.id), of.compute.on()], [['running'], []])
  const path = `/keyward/v1/instances/${instance.id}`
  const [attachment] = (await of.call('GET', `/v1/instances/${instance.id}/volume_attachments`)).body.volume_attachments
  const connect = `${path}/volume_attachments/${attachment.id}/connection`
  assert.equal((await of.call('POST', connect)).status, 201)
  assert.equal((await of.call('GET', `${path}/console_log`)).status, 409)
})

test('the console is read by whoever may operate the instance, and by no other account', async () => {
  await using of = await world()
  const id = await make(of)
  await of.settle()
  const path = `/keyward/v1/instances/${id}/console_log`
  assert.deepEqual((await of.call('GET', path)).body, { text: `I am ${id}`, skipped_bytes: 0 })
  assert.equal((await of.call('GET', path, { as: accountC })).status, 404)
  of.iam.denies = (_subject, action) => action === 'is.instance.instance.operate'
  assert.equal((await of.call('GET', path)).status, 403)
})

test('a machine that does not start leaves its instance failed, and one that is stopped may be started again', async () => {
  await using of = await world()
  of.compute.isBroken = true
  const id = await make(of)
  await of.settle()
  assert.deepEqual(await shown(of, id), ['failed', 'cannot_start_compute'])
  assert.deepEqual([of.compute.on(), of.disk.exports.size], [[], 0])
  assert.equal((await act(of, id, 'start')).status, 409)
  of.compute.isBroken = false
  await act(of, id, 'stop')
  assert.deepEqual(await shown(of, id), ['stopped'])
  const started = await act(of, id, 'start')
  assert.deepEqual([started.body.status, started.body.completed_at], ['running', undefined])
  await of.settle()
  assert.deepEqual([await shown(of, id), of.disk.exports.size], [['running'], 2])
})

test('a stop waits for the machine, and force does not', async () => {
  await using of = await world()
  const id = await make(of)
  await of.settle()
  const asked = await act(of, id, 'stop')
  assert.deepEqual([asked.body.status, await shown(of, id), of.disk.exports.size], ['running', ['stopping'], 2])
  await of.pass()
  assert.deepEqual([await shown(of, id), of.disk.exports.size], [['stopped'], 0])
  await act(of, id, 'start')
  await of.settle()
  await act(of, id, 'stop')
  const forced = await act(of, id, 'stop', true)
  assert.deepEqual([forced.body.status, await shown(of, id), of.compute.on()], ['completed', ['stopped'], []])
})

test('with the key of an attached volume deleted the plug is pulled', async () => {
  await using of = await world()
  const id = await make(of)
  await of.settle()
  of.kms.put(keyOfA, 'deleted')
  await of.pass()
  await of.pass()
  assert.deepEqual([await shown(of, id), of.compute.on()], [['stopped', 'encryption_key_deleted'], []])
})

test('a machine that ends by itself, or with its host, is followed', async () => {
  const stopped = { availability_policy: { host_failure: 'stop' } }
  for (const [state, more, expected] of [
    ['shut-down', {}, ['stopped']],
    ['died', {}, ['stopped', 'stopped_by_host_failure']],
    ['died', stopped, ['stopped', 'stopped_by_host_failure']],
    ['unknown', {}, ['running']],
    ['unknown', stopped, ['stopped', 'stopped_by_host_failure']],
  ] as const) {
    await using of = await world()
    const id = await make(of, more)
    await of.settle()
    if (state === 'unknown') of.compute.crash()
    else of.compute.end(id, state)
    await of.settle()
    assert.deepEqual(await shown(of, id), expected, state)
    assert.deepEqual([of.compute.on().length, of.disk.exports.size], expected[0] === 'running' ? [1, 2] : [0, 0], state)
    if (expected[0] === 'running') continue
    await act(of, id, 'start')
    await of.settle()
    assert.deepEqual(await shown(of, id), ['running'], state)
  }
})

test('a stop or a deletion that crosses a start leaves no machine and no exports', async () => {
  for (const [method, rest, request] of [
    ['POST', '/actions', { type: 'stop' }],
    ['DELETE', '', undefined],
  ] as const) {
    await using of = await world()
    const id = await make(of)
    of.compute.meanwhile = () => of.call(method, `/v1/instances/${id}${rest}`, { body: request })
    await of.pass()
    await of.pass()
    assert.deepEqual([of.compute.on(), of.disk.exports.size], [[], 0], method)
    await of.settle()
    const { status, body: instance } = await of.call('GET', `/v1/instances/${id}`)
    assert.deepEqual([status, instance.status], method === 'POST' ? [200, 'stopped'] : [404, undefined])
  }
})

test('a disk is attached when its machine has taken it', async () => {
  await using of = await world()
  const id = await make(of)
  await of.settle()
  const { body: volume } = await of.call('POST', '/v1/volumes', { body: volumeBody() })
  await of.settle()
  of.compute.isFull = true
  const path = `/v1/instances/${id}/volume_attachments`
  const { body: attachment } = await of.call('POST', path, { body: { volume: { id: volume.id } } })
  const status = async () => (await of.call('GET', `${path}/${attachment.id}`)).body.status
  await of.pass()
  assert.equal(await status(), 'attaching')
  of.compute.isFull = false
  await of.pass()
  assert.equal(await status(), 'attached')
  assert.ok(of.compute.machines.get(id)?.disks.has(attachment.id))
  assert.equal((await of.call('DELETE', `${path}/${attachment.id}`)).status, 204)
  assert.ok(!of.compute.machines.get(id)?.disks.has(attachment.id))
})

/** Of one volume: there are enough effects. */
const small = { volume_attachments: [] }

const running = async (of: World): Promise<string> => {
  const id = await make(of, small)
  await of.settle()
  return id
}

for (const [name, begin] of [
  ['creating', async (of: World) => () => of.call('POST', '/v1/instances', { body: body(small) })],
  [
    'stopping',
    async (of: World) => {
      const id = await running(of)
      return () => act(of, id, 'stop')
    },
  ],
  [
    'rebooting',
    async (of: World) => {
      const id = await running(of)
      return () => act(of, id, 'reboot')
    },
  ],
  [
    'deleting',
    async (of: World) => {
      const id = await running(of)
      return () => of.call('DELETE', `/v1/instances/${id}`)
    },
  ],
] as const) {
  test(`${name} with every effect struck: machines and instances agree in the end`, async () => {
    const strikes = await struckEverywhere(begin, async () => {}, world)
    assert.ok(strikes >= 4 * 3, `${strikes} strikes`)
  })
}
