// The driver that runs machines on this host: one QEMU process for each instance that is on. What it knows is in memory; a
// server that begins anew knows no machines, and there are none (launch.ts, leftovers.ts).

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { consoleLogBytesMax, machineClosingMs } from '#base/limits-compute.ts'
import type { Log } from '#base/log.ts'
import { within } from '#base/within.ts'
import { ConsoleBuffer } from './console-log.ts'
import { endLeftovers } from './leftovers.ts'
import { Machine } from './machine.ts'
import type { MachineHost } from './machine.ts'
import type { ComputePort, MachineSpec, MachineState } from './port.ts'
import { probe } from './probe.ts'

export interface QemuOptions {
  /** The path of the program. */
  readonly program: string
  /** What one machine gets at most, whatever its profile says. */
  readonly memoryMibMax: number
  /** What all of them together may have. */
  readonly memoryMibTotal: number
  readonly vcpuCountMax: number
  readonly dataFolder: string
  readonly clock: Clock
  readonly log: Log
  /** Called after a machine's state has changed. */
  onChange(): void
}

export interface ComputeDriver extends ComputePort {
  /** Presses every button, and pulls the plug of who is not off in time. */
  close(): Promise<void>
}

interface Known {
  machine: Machine | null
  /** How the last one ended. */
  ending: MachineState
  readonly output: ConsoleBuffer
}

export async function startQemu(options: QemuOptions): Promise<ComputeDriver> {
  const { program, clock, log, onChange } = options
  const folder = join(options.dataFolder, 'run', 'machines')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await endLeftovers(folder, log)
  const host: MachineHost = { program, folder, clock, log, accelerator: await probe(program, clock) }
  const all = new Map<string, Known>()
  let isClosing = false

  function boot(spec: MachineSpec, known: Known): void {
    const machine = new Machine(host, spec, known.output)
    const { instanceId } = spec
    known.machine = machine
    void machine.booted.then(onChange)
    void follow(instanceId, known, machine)
  }

  async function follow(instanceId: string, known: Known, machine: Machine): Promise<void> {
    const ending = await machine.ended
    known.machine = null
    known.ending = ending
    const about = { instanceId, complaint: machine.complaint() }
    if (ending === 'died') log.warn(about, 'a machine ended unexpectedly')
    if (ending === 'failed') log.warn(about, 'a machine could not be started')
    onChange()
  }

  const memoryMibInUse = (): number =>
    [...all.values()].reduce((sum, { machine }) => sum + (machine?.memoryMib ?? 0), 0)

  const stateOf = ({ machine, ending }: Known): MachineState => {
    if (machine) return machine.isOn ? 'on' : 'booting'
    return ending
  }

  async function cut({ machine }: Known): Promise<void> {
    machine?.cut()
    await machine?.ended
  }

  return {
    runsMachines: true,

    async start(spec) {
      const known = all.get(spec.instanceId) ?? {
        machine: null,
        ending: 'unknown',
        output: new ConsoleBuffer(consoleLogBytesMax),
      }
      all.set(spec.instanceId, known)
      if (stateOf(known) !== 'unknown' || isClosing) return stateOf(known)
      const machine = limited(spec, options)
      if (memoryMibInUse() + machine.memoryMib > options.memoryMibTotal) known.ending = 'no-room'
      else boot(machine, known)
      return stateOf(known)
    },

    async state(instanceId) {
      const known = all.get(instanceId)
      return known ? stateOf(known) : 'unknown'
    },

    async reset(instanceId) {
      const known = all.get(instanceId)
      if (!known?.machine?.isOn) return false
      try {
        await known.machine.reset()
        return true
      } catch (err) {
        log.warn({ err, instanceId }, 'a machine that does not answer is started anew')
        await cut(known)
        known.ending = 'unknown'
        return false
      }
    },

    async stop(instanceId, how) {
      const known = all.get(instanceId)
      if (!known) return true
      if (how === 'at-once') await cut(known)
      else known.machine?.pressButton()
      if (known.machine) return false
      known.ending = 'unknown'
      return true
    },

    async plug(instanceId, disk) {
      try {
        const machine = all.get(instanceId)?.machine
        await machine?.plug(disk)
        return machine?.isOn === true
      } catch (err) {
        log.warn({ err, instanceId, attachmentId: disk.attachmentId }, 'a machine does not take a disk yet')
        return false
      }
    },

    async unplug(instanceId, attachmentId) {
      try {
        await all.get(instanceId)?.machine?.unplug(attachmentId)
      } catch (err) {
        log.warn({ err, instanceId, attachmentId }, 'a disk is cut off from a machine that does not let go of it')
      }
    },

    async remove(instanceId) {
      const known = all.get(instanceId)
      if (known) await cut(known)
      all.delete(instanceId)
    },

    known: async () => [...all.keys()],

    consoleLog: async (instanceId) => all.get(instanceId)?.output.read() ?? null,

    async close() {
      isClosing = true
      const machines = [...all.values()].flatMap(({ machine }) => machine ?? [])
      for (const machine of machines) machine.pressButton()
      const ended = Promise.all(machines.map((machine) => machine.ended))
      await within(clock, machineClosingMs, ended, { sentence: 'machines are still on' }).catch(() => {
        for (const machine of machines) machine.cut()
      })
      await ended
    },
  }
}

/** More processors than the host has make a machine slower, not faster. */
const limited = (spec: MachineSpec, { memoryMibMax, vcpuCountMax }: QemuOptions): MachineSpec => ({
  ...spec,
  vcpuCount: Math.min(spec.vcpuCount, vcpuCountMax),
  memoryMib: Math.min(spec.memoryMib, memoryMibMax),
})
