// What reaches the program, for the characters that have a meaning in its options.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { blockNode, diskDevice, machineArguments } from './command-line.ts'
import type { MachineDisk, MachineSpec } from './port.ts'

const path = '/srv/a,b=c "d"\\e/run/nbd/0123.sock'
const disk = (n: number): MachineDisk => ({
  attachmentId: `0717-${n}`,
  serial: `0717${n}`,
  nbdUri: `nbd+unix:///0717-${n}?socket=${encodeURIComponent(path)}`,
})
const spec: MachineSpec = {
  instanceId: '0717_1e09281b-f177-46fb-baf1-bc152b2e391a',
  vcpuCount: 2,
  memoryMib: 64,
  disks: [disk(1), disk(2)],
}
const host = { accelerator: 'tcg', pidPath: '/srv/a,b/m.pid' } as const

const valuesOf = (args: readonly string[], option: string): string[] =>
  args.flatMap((one, at) => (one === option ? (args[at + 1] ?? []) : []))

test('disks are JSON, so that the path of the data folder may have any character', () => {
  const args = machineArguments(spec, host)
  const [first, second, ...more] = valuesOf(args, '-blockdev').map((text) => JSON.parse(text))
  assert.deepEqual([first.server, first.export], [{ type: 'unix', path }, '0717-1'])
  assert.deepEqual([second.export, more], ['0717-2', []])
  assert.deepEqual(valuesOf(args, '-pidfile'), [host.pidPath])
})

test('the machine boots from its first disk, and disks tell who they are', () => {
  const devices = valuesOf(machineArguments(spec, host), '-device').map((text) => JSON.parse(text))
  const disks = devices.filter(({ driver }) => driver === 'scsi-hd')
  assert.deepEqual(
    disks.map((one) => [one.id, one.drive, one.bootindex, one.serial]),
    [
      ['disk0', 'node0', 0, '07171'],
      ['disk1', 'node1', 1, '07172'],
    ],
  )
})

test('a disk that comes later is what it would have been from the beginning', () => {
  const args = machineArguments(spec, host)
  assert.deepEqual(JSON.parse(valuesOf(args, '-blockdev')[1] ?? ''), blockNode(disk(2), 1))
  assert.ok(valuesOf(args, '-device').includes(JSON.stringify(diskDevice(disk(2), 1))))
})

test('a machine has no network, no screen, and a program that may do little', () => {
  const args = machineArguments(spec, host)
  for (const [option, value] of [
    ['-nic', 'none'],
    ['-display', 'none'],
    ['-vga', 'none'],
    ['-uuid', '1e09281b-f177-46fb-baf1-bc152b2e391a'],
    ['-m', '64M'],
  ] as const) {
    assert.deepEqual(valuesOf(args, option), [value])
  }
  assert.match(valuesOf(args, '-sandbox')[0] ?? '', /^on,.*spawn=deny/)
  assert.ok(args.includes('-nodefaults'))
})

test('an id with a meaning for the program, and a disk from elsewhere, are bugs of ours', () => {
  assert.throws(() => machineArguments({ ...spec, instanceId: 'a,process=b' }, host), /ids of instances/)
  assert.throws(() => blockNode({ ...disk(1), nbdUri: 'nbd://127.0.0.1/x' }, 0), /unix sockets/)
})
