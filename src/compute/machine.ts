// One machine from the start of its process to the end of it. Its disks come and go through the monitor; what it prints is
// kept by the console; that it ended, and how, is told once.

import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import {
  diskErrorNoticeMs,
  machineCommandMs,
  machineDisksMax,
  machinePowerdownMs,
  machineStartMs,
} from '#base/limits-compute.ts'
import type { Log } from '#base/log.ts'
import { Turns } from '#base/turns.ts'
import { within } from '#base/within.ts'
import { blockNode, deviceId, diskDevice, machineArguments, nodeName } from './command-line.ts'
import type { Accelerator } from './command-line.ts'
import type { ConsoleBuffer } from './console-log.ts'
import { launch } from './launch.ts'
import type { Launched } from './launch.ts'
import type { MachineDisk, MachineSpec } from './port.ts'
import { pace } from './paced.ts'
import { openQmp } from './qmp.ts'
import type { Qmp, QmpEvent } from './qmp.ts'

export interface MachineHost {
  readonly program: string
  readonly accelerator: Accelerator
  /** Holds a file with the process id of each machine. */
  readonly folder: string
  readonly clock: Clock
  readonly log: Log
}

export type Ending = 'failed' | 'shut-down' | 'died'

export class Machine {
  /** Fulfilled when it runs, or has ended without that. */
  readonly booted: Promise<void>
  readonly ended: Promise<Ending>
  readonly memoryMib: number
  readonly #host: MachineHost
  readonly #instanceId: string
  readonly #launched: Launched
  /** By their targets. */
  readonly #disks = new Map<number, string>()
  readonly #turns = new Turns()
  readonly #deletions = new Map<string, () => void>()
  readonly #noticedAt = new Map<string, number>()
  #qmp: Qmp | null = null
  #isOn = false
  #isPressed = false
  /** Whether its end is somebody's wish: the user's, or its own system's. */
  #isWanted = false

  constructor(host: MachineHost, spec: MachineSpec, output: ConsoleBuffer) {
    const pidPath = join(host.folder, `${spec.instanceId}.pid`)
    this.#host = host
    this.#instanceId = spec.instanceId
    this.memoryMib = spec.memoryMib
    for (const [target, { attachmentId }] of spec.disks.entries()) this.#disks.set(target, attachmentId)
    this.#launched = launch(host.program, machineArguments(spec, { accelerator: host.accelerator, pidPath }))
    this.#listen(output)
    this.ended = this.#launched.ended.then(() => {
      rmSync(pidPath, { force: true })
      if (!this.#isOn) return 'failed'
      return this.#isWanted ? 'shut-down' : 'died'
    })
    this.booted = this.#boot()
  }

  get isOn(): boolean {
    return this.#isOn
  }

  complaint(): string {
    return this.#launched.complaint()
  }

  async #boot(): Promise<void> {
    const { monitor } = this.#launched
    const running = openQmp(monitor, (event) => this.#hear(event)).then(async (qmp) => {
      await qmp.execute('cont')
      return qmp
    })
    try {
      this.#qmp = await within(this.#host.clock, machineStartMs, running, {
        sentence: 'the machine did not start in time',
      })
      this.#isOn = true
    } catch {
      this.#kill()
      await this.ended
    }
  }

  #listen(output: ConsoleBuffer): void {
    const { serial, monitor } = this.#launched
    serial.on('error', () => undefined)
    serial.on('data', (piece: Buffer) => output.append(piece))
    pace(serial, this.#host.clock)
    pace(monitor, this.#host.clock)
  }

  #hear({ event, data }: QmpEvent): void {
    if (event === 'SHUTDOWN' && data['reason'] === 'guest-shutdown') this.#isWanted = true
    if (event === 'DEVICE_DELETED') this.#deletions.get(String(data['device']))?.()
    if (event === 'BLOCK_IO_ERROR') this.#noticeError(data)
  }

  #noticeError(data: QmpEvent['data']): void {
    const { clock, log } = this.#host
    const attachmentId = [...this.#disks].find(([target]) => nodeName(target) === data['node-name'])?.[1] ?? 'unknown'
    const now = clock.monotonicMs()
    const before = this.#noticedAt.get(attachmentId)
    if (before !== undefined && now - before < diskErrorNoticeMs) return
    this.#noticedAt.set(attachmentId, now)
    const { operation, reason } = data
    log.warn({ instanceId: this.#instanceId, attachmentId, operation, reason }, 'a disk does not serve its machine')
  }

  async reset(): Promise<void> {
    await this.#execute('system_reset')
  }

  /** The first press counts; who does not listen has his plug pulled after a while. */
  pressButton(): void {
    if (this.#isPressed) return
    this.#isPressed = true
    this.#isWanted = true
    if (!this.#isOn) return this.#kill()
    const cancel = this.#host.clock.after(machinePowerdownMs, () => this.cut())
    void this.ended.then(cancel)
    this.#execute('system_powerdown').catch(() => this.cut())
  }

  /** What the machine has been told is written is with its disks; the rest is lost, as when power fails. */
  cut(): void {
    this.#isWanted = true
    this.#kill()
  }

  #kill(): void {
    this.#launched.process.kill('SIGKILL')
  }

  plug(disk: MachineDisk): Promise<void> {
    return this.#turns.take('disks', async () => {
      if ([...this.#disks.values()].includes(disk.attachmentId)) return
      const target = Array.from({ length: machineDisksMax }, (_, i) => i).find((i) => !this.#disks.has(i))
      if (target === undefined) throw new Fault('over_limit', `a machine has ${machineDisksMax} disks at most`)
      await this.#execute('blockdev-add', blockNode(disk, target))
      try {
        await this.#execute('device_add', diskDevice(disk, target))
        this.#disks.set(target, disk.attachmentId)
      } catch (error) {
        await this.#execute('blockdev-del', { 'node-name': nodeName(target) })
        throw error
      }
    })
  }

  /** Its target is not given to another disk unless QEMU has let go of it. */
  unplug(attachmentId: string): Promise<void> {
    return this.#turns.take('disks', async () => {
      const target = [...this.#disks].find(([, one]) => one === attachmentId)?.[0]
      if (target === undefined) return
      const id = deviceId(target)
      const { promise: deleted, resolve } = Promise.withResolvers<void>()
      this.#deletions.set(id, resolve)
      try {
        await this.#execute('device_del', { id })
        await within(this.#host.clock, machineCommandMs, Promise.race([deleted, this.ended]), {
          sentence: 'the machine did not let go of a disk in time',
        })
        await this.#execute('blockdev-del', { 'node-name': nodeName(target) })
        this.#disks.delete(target)
      } finally {
        this.#deletions.delete(id)
      }
    })
  }

  #execute(command: string, args?: object): Promise<unknown> {
    if (!this.#qmp) return Promise.reject(new Fault('unavailable', 'the machine is not on'))
    const sentence = `the machine did not answer to ${command} in time`
    return within(this.#host.clock, machineCommandMs, this.#qmp.execute(command, args), { sentence })
  }
}
