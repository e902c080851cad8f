// What block storage may ask of whoever runs machines. A machine is known by the id of its instance. Every method may be
// repeated: after a crash the caller says again what should be so.

export interface MachineDisk {
  readonly attachmentId: string
  /** By which the machine's system can tell its disks apart. */
  readonly serial: string
  /** Where the disk is served on this host: an NBD URI of a unix socket, which only this server's user can reach. */
  readonly nbdUri: string
}

export interface MachineSpec {
  readonly instanceId: string
  readonly vcpuCount: number
  readonly memoryMib: number
  /** The one that the machine boots from comes first. */
  readonly disks: readonly MachineDisk[]
}

export type MachineState =
  | 'on'
  | 'booting'
  /** It could not be started. */
  | 'failed'
  /** The host has no memory left for it. */
  | 'no-room'
  /** It ended by itself, as a machine does whose system shuts it down. */
  | 'shut-down'
  /** It ended and nobody had asked it to. */
  | 'died'
  /** None was started since one was stopped, or since this process began: what ran before ended with the one before. */
  | 'unknown'

export interface ConsoleLog {
  readonly text: string
  /** What was printed before `text` and is not kept any more. */
  readonly skippedBytes: number
}

export interface ComputePort {
  /** Whether machines run here. Where they do not, every instance is the record of a machine that its user runs. */
  readonly runsMachines: boolean
  /** Begins to start the machine where the state is unknown, and says what it is now. Ended ones are stopped first. */
  start(machine: MachineSpec): Promise<MachineState>
  state(instanceId: string): Promise<MachineState>
  /** Boots a machine anew that is on. False when none is: then it has to be started. */
  reset(instanceId: string): Promise<boolean>
  /**
   * Presses the power button, and after a while pulls the plug; or pulls it at once. True when the machine is off; where it
   * is not yet, its end is told like every change of a state.
   */
  stop(instanceId: string, how: 'by-button' | 'at-once'): Promise<boolean>
  /** Gives a running machine a disk, unless it has it. False when that could not be done now. */
  plug(instanceId: string, disk: MachineDisk): Promise<boolean>
  /** Takes the disk out of the machine, whatever its system does with it at the moment. */
  unplug(instanceId: string, attachmentId: string): Promise<void>
  /** Pulls the plug and forgets the machine, with what it has printed. */
  remove(instanceId: string): Promise<void>
  /** The instances of which something is remembered here. */
  known(): Promise<readonly string[]>
  /** The end of what the machine has printed on its serial port since this process began; null when there is nothing. */
  consoleLog(instanceId: string): Promise<ConsoleLog | null>
}
