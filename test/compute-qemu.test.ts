// Machines that run here: an instance of B's boots from a volume under A's key, in a real QEMU, and does what A decides. The
// system in it is one sector of the tests' own (harness/boot-sector.ts); all it says comes through the console log.

import assert from 'node:assert/strict'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Json } from './harness/api.ts'
import { instanceIs } from './harness/images.ts'
import {
  act,
  consoleOf,
  childrenOf,
  machineIsGone,
  machineProcesses,
  machineWorld,
  parentOf,
  printed,
  qemuSettings,
  startMachine,
  volumeSaying,
} from './harness/machines.ts'
import { runToEnd, startServer, tempFolder } from './harness/server.ts'
import { volumeIs } from './harness/story.ts'

const reasonsOf = ({ status_reasons: reasons }: Json): string[] => reasons.map(({ code }: Json) => code)

test('a machine of B’s boots from a volume under A’s key, and runs for as long as A lets it', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder, qemuSettings)
  const { a, b, advance } = server
  const world = await machineWorld(server)
  const data = await volumeSaying(b, world.key.crn, 'what B keeps under the key of A', folder)
  const id = await startMachine(b, world, { volume_attachments: [{ volume: { id: data.id } }] })

  await t.test('it prints what it read of its disks', async () => {
    const text = await consoleOf(b, id)
    assert.match(text, /machine is up\r\nwhat B keeps under the key of A\r\nbeat 0001\r\nbeat 0002\r\n/)
    assert.doesNotMatch(text, /was at beat|disk error/)
  })

  await t.test('its process says nothing that is secret, and has no more memory than the operator gives', async () => {
    const [args = []] = machineProcesses(id).values()
    assert.ok(args.includes('48M') && args.includes('-sandbox') && args.includes('none'))
    assert.doesNotMatch(args.join(' '), /secret|psk|pass|tls/i)
    await a.expect(404, 'GET', `/keyward/v1/instances/${id}/console_log`)
    const attachment = `${id}/volume_attachments/${(await b.vpc(200, 'GET', `/instances/${id}`)).boot_volume_attachment.id}`
    const refused = await b.expect(409, 'POST', `/keyward/v1/instances/${attachment}/connection`)
    assert.match(refused.errors[0].message, /is run on this server/)
  })

  await t.test('a disk process that dies is started again, and the machine goes on', async () => {
    const [processId = 0] = machineProcesses(id).keys()
    const disks = childrenOf(parentOf(processId)).filter(({ args }) =>
      args.some((one) => one.endsWith('disk/process.ts')),
    )
    assert.ok(disks.length > 0)
    const before = await consoleOf(b, id)
    for (const disk of disks) process.kill(disk.processId, 'SIGKILL')
    await printed(b, id, /(\r\nbeat \d+){10}/, before)
    assert.deepEqual([...machineProcesses(id).keys()], [processId])
  })

  await t.test('A disables the key: its writes fail. A enables it: they go on, in the same machine', async () => {
    const [processId] = machineProcesses(id).keys()
    const before = await consoleOf(b, id)
    await a.kms(204, 'POST', `/keys/${world.key.id}/actions/disable`)
    await printed(b, id, /disk error\r\n.*disk error/s, before)
    assert.equal((await volumeIs(b, data.id, 'unusable')).status_reasons[0].code, 'encryption_key_disabled')
    const instance = await b.vpc(200, 'GET', `/instances/${id}`)
    assert.deepEqual([instance.status, instance.startable], ['running', false])
    assert.doesNotMatch(await printed(b, id, /disk error/, await consoleOf(b, id)), /beat/)
    assert.match(server.output(), /a disk does not serve its machine/, 'its operator is told')
    await advance(30)
    await a.kms(204, 'POST', `/keys/${world.key.id}/actions/enable`)
    await printed(b, id, /beat/, await consoleOf(b, id))
    assert.deepEqual([...machineProcesses(id).keys()], [processId])
  })

  await t.test('A deletes the key: it is stopped, and says why', async () => {
    await advance(30)
    await a.kms(204, 'DELETE', `/keys/${world.key.id}?force=true`)
    const stopped = await instanceIs(b, id, 'stopped')
    assert.deepEqual(reasonsOf(stopped), ['encryption_key_deleted'])
    assert.equal(machineProcesses(id).size, 0)
    await b.vpc(409, 'POST', `/instances/${id}/actions`, { type: 'start' })
    assert.match(await consoleOf(b, id), /machine is up/, 'what it had printed can still be read')
  })

  await t.test('A restores the key: it can be started, and what it had written is there', async () => {
    await advance(30)
    await a.kms(201, 'POST', `/keys/${world.key.id}/restore`)
    await volumeIs(b, data.id, 'available')
    const before = await consoleOf(b, id)
    await act(b, id, 'start')
    assert.deepEqual(reasonsOf(await instanceIs(b, id, 'running')), [])
    await printed(b, id, /machine is up\r\nwas at beat \d+\r\nwhat B keeps under the key of A\r\nbeat 0001/, before)
  })

  assert.equal(await server.stop(), 0)
  assert.equal(machineProcesses(id).size, 0)
  assert.deepEqual(readdirSync(join(folder, 'run/machines')), [])
  assert.doesNotMatch(server.output(), /a bug of ours/)
})

test('a machine stops by its button, reboots, gives back disks, and its own end is seen', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder, qemuSettings)
  const { b } = server
  const world = await machineWorld(server)
  const data = await volumeSaying(b, world.key.crn, 'plugged in later', folder)
  const last = await volumeSaying(b, world.key.crn, '!now it is enough', folder)
  const id = await startMachine(b, world)
  const attachments = `/instances/${id}/volume_attachments`

  const plug = async (volume: Json): Promise<Json> => {
    const { id: attachmentId } = await b.vpc(201, 'POST', attachments, { volume: { id: volume.id } })
    return await until(
      () => b.vpc(200, 'GET', `${attachments}/${attachmentId}`),
      ({ status }) => status === 'attached',
    )
  }

  const reboot = async (wanted: RegExp): Promise<void> => {
    const before = await consoleOf(b, id)
    await act(b, id, 'reboot')
    await printed(b, id, wanted, before)
  }

  await t.test('the button: its system shuts down, and starts with what it had written', async () => {
    const before = await consoleOf(b, id)
    await act(b, id, 'stop')
    assert.deepEqual(reasonsOf(await instanceIs(b, id, 'stopped')), [])
    await printed(b, id, /powering off/, before)
    assert.equal(machineProcesses(id).size, 0)
    await act(b, id, 'start')
    await printed(b, id, /powering off\r\nmachine is up\r\nwas at beat \d+\r\nno second disk\r\nbeat 0001/, before)
    await instanceIs(b, id, 'running')
  })

  await t.test('by force: at once, and nothing is shut down', async () => {
    const before = await consoleOf(b, id)
    await act(b, id, 'stop', true)
    await instanceIs(b, id, 'stopped')
    assert.doesNotMatch((await consoleOf(b, id)).slice(before.length), /powering off/)
    await act(b, id, 'start')
    await instanceIs(b, id, 'running')
    await printed(b, id, /beat 0002/, before)
  })

  await t.test('a disk comes to the running machine, and goes again', async () => {
    const [processId] = machineProcesses(id).keys()
    const attachment = await plug(data)
    await reboot(/machine is up\r\nwas at beat \d+\r\nplugged in later\r\nbeat 0001/)
    await b.vpc(204, 'DELETE', `${attachments}/${attachment.id}`)
    await reboot(/machine is up\r\nwas at beat \d+\r\nno second disk\r\nbeat 0001/)
    assert.deepEqual([...machineProcesses(id).keys()], [processId], 'all of it in one process')
  })

  await t.test('a system that shuts itself down stops its instance', async () => {
    await plug(last)
    await reboot(/!now it is enough\r\npowering off/)
    assert.deepEqual(reasonsOf(await instanceIs(b, id, 'stopped')), [])
    const own = (await b.vpc(200, 'GET', attachments)).volume_attachments.find((one: Json) => one.type === 'data')
    await b.vpc(204, 'DELETE', `${attachments}/${own.id}`)
  })

  await t.test('a process that dies stops its instance, which says so until it is started', async () => {
    const before = await consoleOf(b, id)
    await act(b, id, 'start')
    await printed(b, id, /beat 0002/, before)
    const [processId = 0] = machineProcesses(id).keys()
    process.kill(processId, 'SIGKILL')
    assert.deepEqual(reasonsOf(await instanceIs(b, id, 'stopped')), ['stopped_by_host_failure'])
    await act(b, id, 'start')
    assert.deepEqual(reasonsOf(await instanceIs(b, id, 'running')), [])
  })

  await t.test('a deleted instance has no machine', async () => {
    await b.vpc(204, 'DELETE', `/instances/${id}`)
    assert.equal(machineProcesses(id).size, 0)
    await b.expect(404, 'GET', `/keyward/v1/instances/${id}/console_log`)
  })
  assert.doesNotMatch(server.output(), /a bug of ours|did not finish/)
})

test('machines end with their server, however that ends, and come back as their policy says', async (t) => {
  const folder = tempFolder(t)
  let server = await startServer(t, folder, qemuSettings)
  const world = await machineWorld(server)
  const staying = await startMachine(server.b, world)
  const stopping = await startMachine(server.b, world, { availability_policy: { host_failure: 'stop' } })

  await server.crash()
  await Promise.all([staying, stopping].map(machineIsGone))
  server = await startServer(t, folder, qemuSettings)
  assert.deepEqual(reasonsOf(await instanceIs(server.b, stopping, 'stopped')), ['stopped_by_host_failure'])
  await printed(server.b, staying, /machine is up\r\nwas at beat \d+\r\nno second disk\r\nbeat 0001/)
  assert.deepEqual(reasonsOf(await instanceIs(server.b, staying, 'running')), [])
  assert.equal(machineProcesses(staying).size, 1)
  await act(server.b, stopping, 'start')
  await printed(server.b, stopping, /beat 0002/)

  await t.test('in the middle of a stop it stays stopped', async () => {
    await act(server.b, staying, 'stop')
    await server.crash()
    await machineIsGone(staying)
    server = await startServer(t, folder, qemuSettings)
    await instanceIs(server.b, staying, 'stopped')
  })
  await server.stop()
  assert.equal(machineProcesses(staying).size + machineProcesses(stopping).size, 0)
})

test('a machine for which there is no memory is not started, until there is', async (t) => {
  const { b, ...server } = await startServer(t, tempFolder(t), [...qemuSettings, '--machines-memory', '64'])
  const world = await machineWorld({ b, ...server })
  const first = await startMachine(b, world)
  const { id } = await b.vpc(201, 'POST', '/instances', { zone: { name: 'us-south-1' }, image: { id: world.imageId } })
  assert.deepEqual(reasonsOf(await instanceIs(b, id, 'failed')), ['cannot_start_capacity'])
  assert.equal(machineProcesses(id).size, 0)
  await act(b, first, 'stop', true)
  await act(b, id, 'stop')
  await act(b, id, 'start')
  assert.deepEqual(reasonsOf(await instanceIs(b, id, 'running')), [])
  await printed(b, id, /beat 0002/)
})

test('with --revocation until-stop a machine runs on under a disabled key until it is stopped', async (t) => {
  const server = await startServer(t, tempFolder(t), [...qemuSettings, '--revocation', 'until-stop'])
  const { a, b } = server
  const world = await machineWorld(server)
  const id = await startMachine(b, world)
  await a.kms(204, 'POST', `/keys/${world.key.id}/actions/disable`)
  const { boot_volume_attachment: boot } = await b.vpc(200, 'GET', `/instances/${id}`)
  await printed(b, id, /beat \d+\r\nbeat \d+\r\nbeat/, await consoleOf(b, id))
  assert.doesNotMatch(await consoleOf(b, id), /disk error/)
  await act(b, id, 'stop')
  await instanceIs(b, id, 'stopped')
  await volumeIs(b, boot.volume.id, 'unusable')
  await b.vpc(409, 'POST', `/instances/${id}/actions`, { type: 'start' })
})

test('a server that cannot run machines says what is missing, and does not start', async (t) => {
  const folder = tempFolder(t)
  const at = ['--data', folder, '--port', '0', '--nbd-port', '0']
  const missing = await runToEnd([...at, '--compute-driver', 'qemu', '--qemu', '/nowhere/qemu'])
  assert.equal(missing.code, 1)
  assert.match(missing.stderr, /there is no program \/nowhere\/qemu \(Debian's package qemu-system-x86 has it\)/)
  const other = await runToEnd([...at, '--compute-driver', 'qemu', '--qemu', '/bin/true'])
  assert.equal(other.code, 1)
  assert.match(other.stderr, /machines cannot be run here: \/bin\/true/)
  const wrong = await runToEnd([...at, '--compute-driver', 'xen'])
  assert.match(wrong.stderr, /--compute-driver must be record or qemu/)
  assert.ok(!existsSync(join(folder, 'run/machines')) || readdirSync(join(folder, 'run/machines')).length === 0)
})

test('an instance that its user runs has no console here', async (t) => {
  const { b } = await startServer(t, tempFolder(t))
  const { id } = await b.vpc(201, 'POST', '/instances', { zone: { name: 'us-south-1' } })
  const refused = await b.expect(409, 'GET', `/keyward/v1/instances/${id}/console_log`)
  assert.match(refused.errors[0].message, /is not run on this server/)
})
