// How a machine is described to QEMU. Nothing here comes from a client but numbers and ids that were made here: what clients
// choose (names, tags, user data) does not reach the program at all. Disks are JSON, so that no character has a meaning.
// Sources: QEMU, "Invocation"; QAPI schema, `BlockdevOptionsNbd`. Pure.

import { assert } from '#base/assert.ts'
import { diskReturnSeconds } from '#base/limits-compute.ts'
import type { MachineDisk, MachineSpec } from './port.ts'

export type Accelerator = 'kvm' | 'tcg'

/** Descriptors that the program finds open: the monitor, and the first serial port. */
export const monitorDescriptor = 3
export const serialDescriptor = 4

/**
 * What every machine is. No devices but those named, no network, no screen, no configuration of the host's; what the program
 * may ask the kernel for is limited; its memory is in no core file and is merged with nobody's.
 */
export const platformArguments = (accelerator: Accelerator): readonly string[] =>
  [
    ['-nodefaults', '-no-user-config', '-nic', 'none', '-display', 'none', '-vga', 'none', '-boot', 'strict=on'],
    ['-sandbox', 'on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny'],
    ['-machine', `q35,accel=${accelerator},usb=off,vmport=off,dump-guest-core=off,mem-merge=off`, '-cpu', 'max'],
    ['-device', JSON.stringify({ driver: 'virtio-scsi-pci', id: 'disks' })],
    ['-object', JSON.stringify({ 'qom-type': 'rng-builtin', id: 'entropy' })],
    ['-device', JSON.stringify({ driver: 'virtio-rng-pci', rng: 'entropy' })],
    ['-chardev', `socket,id=monitor,fd=${monitorDescriptor}`, '-mon', 'chardev=monitor,mode=control'],
    // It runs when it is told to: one whose server has died before that does nothing.
    ['-S'],
  ].flat()

const idForm = /^[A-Za-z0-9_-]{1,64}$/

export function machineArguments(
  machine: MachineSpec,
  host: { readonly accelerator: Accelerator; readonly pidPath: string },
): readonly string[] {
  assert(idForm.test(machine.instanceId), 'ids of instances are letters, digits, - and _')
  const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.exec(machine.instanceId)?.[0]
  return [
    platformArguments(host.accelerator),
    ['-name', machine.instanceId, '-pidfile', host.pidPath],
    uuid === undefined ? [] : ['-uuid', uuid],
    ['-smp', String(machine.vcpuCount), '-m', `${machine.memoryMib}M`],
    ['-chardev', `socket,id=serial,fd=${serialDescriptor}`, '-serial', 'chardev:serial'],
    machine.disks.flatMap((disk, target) => [
      '-blockdev',
      JSON.stringify(blockNode(disk, target)),
      '-device',
      JSON.stringify(diskDevice(disk, target)),
    ]),
  ].flat()
}

export const nodeName = (target: number): string => `node${target}`
export const deviceId = (target: number): string => `disk${target}`

/** Where the bytes are. A connection that breaks is made again, by the next request if need be. */
export function blockNode({ nbdUri }: MachineDisk, target: number) {
  const uri = new URL(nbdUri)
  const path = uri.searchParams.get('socket')
  assert(uri.protocol === 'nbd+unix:' && path !== null, 'disks of machines are reached through unix sockets')
  return {
    driver: 'nbd',
    'node-name': nodeName(target),
    server: { type: 'unix', path },
    export: decodeURIComponent(uri.pathname.slice(1)),
    'open-timeout': diskReturnSeconds,
    'reconnect-delay': diskReturnSeconds,
    discard: 'unmap',
  }
}

/** SCSI and not virtio-blk, because a SCSI disk can be taken out without its machine's consent. Errors are the machine's. */
export const diskDevice = ({ serial }: MachineDisk, target: number) => ({
  driver: 'scsi-hd',
  id: deviceId(target),
  drive: nodeName(target),
  bus: 'disks.0',
  'scsi-id': target,
  serial,
  // Firmware knows the disks that have a place in its order, and no others.
  bootindex: target,
  rerror: 'report',
  werror: 'report',
})
