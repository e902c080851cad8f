// Machines that do as they are told, in their own time: one that was asked to start or to stop has done so when it is asked
// the next time.

import type { ComputePort, MachineDisk, MachineSpec, MachineState } from '#compute/port.ts'

interface Machine {
  state: MachineState
  isPressed: boolean
  readonly spec: MachineSpec
  readonly disks: Map<string, MachineDisk>
}

export class FakeCompute {
  readonly machines = new Map<string, Machine>()
  /** Machines do not start. */
  isBroken = false
  /** Machines take no disks. */
  isFull = false
  /** What happens while a machine is being started. */
  meanwhile: () => Promise<unknown> = async () => {}

  /** It ends without us. */
  end(id: string, state: MachineState): void {
    const machine = this.machines.get(id)
    if (machine) machine.state = state
  }

  crash(): void {
    this.machines.clear()
  }

  on(): string[] {
    return [...this.machines]
      .filter(([, { state }]) => state === 'on' || state === 'booting')
      .map(([id]) => id)
      .sort()
  }

  readonly port: ComputePort = {
    runsMachines: true,
    start: async (spec) => {
      const meanwhile = this.meanwhile
      this.meanwhile = async () => {}
      await meanwhile()
      const known = this.machines.get(spec.instanceId)
      const next: MachineState = this.isBroken ? 'failed' : 'on'
      if (known) known.state = known.state === 'booting' ? next : known.state
      const disks = new Map(spec.disks.map((disk) => [disk.attachmentId, disk]))
      const machine = known ?? { state: 'booting' as const, isPressed: false, spec, disks }
      this.machines.set(spec.instanceId, machine)
      return machine.state
    },
    state: async (id) => this.machines.get(id)?.state ?? 'unknown',
    reset: async (id) => this.machines.get(id)?.state === 'on',
    stop: async (id, how) => {
      const machine = this.machines.get(id)
      const isOff = how === 'at-once' || machine?.isPressed !== false || machine.state !== 'on'
      if (machine) machine.isPressed = true
      if (isOff) this.machines.delete(id)
      return isOff
    },
    plug: async (id, disk) => {
      const machine = this.machines.get(id)
      if (machine?.state !== 'on' || this.isFull) return false
      machine.disks.set(disk.attachmentId, disk)
      return true
    },
    unplug: async (id, attachmentId) => {
      this.machines.get(id)?.disks.delete(attachmentId)
    },
    remove: async (id) => {
      this.machines.delete(id)
    },
    known: async () => [...this.machines.keys()],
    consoleLog: async (id) => (this.machines.has(id) ? { text: `I am ${id}`, skippedBytes: 0 } : null),
  }
}
