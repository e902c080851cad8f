// Ceilings of the machines that run here, with unit and reason: limits.ts goes on here.

const KiB = 1024
const second = 1000

/** Enough for a kernel's boot messages and what comes after; it is memory of the server's, for each machine. */
export const consoleLogBytesMax = 256 * KiB
/** A machine that has much to say gets a turn this often, */
export const machineTurnMs = 50
/** with so many reads, of 64 KiB at most: its console and its monitor together take some percent of a core. */
export const machineReadsPerTurn = 4
/** What a failing start is explained by, in the server's log: the end of what QEMU said. */
export const machineErrorBytesMax = 4 * KiB
/** From the program's start to the first instruction of the machine. Disks that do not answer take most of it. */
export const machineStartMs = 30 * second
/** After the power button a Linux machine is off within seconds; one that does not listen is cut off. */
export const machinePowerdownMs = 30 * second
/** The same while the server ends: systemd waits 30 seconds for all of it, of which the disks may take 12. */
export const machineClosingMs = 10 * second
/** QEMU answers at once, unless a disk that it waits for does not. Above `diskReturnSeconds`. */
export const machineCommandMs = 20 * second
/** A disk process that died is back within a second or two; until then a machine's requests wait and do not fail. */
export const diskReturnSeconds = 5
/** QEMU's longest answer is that to a question we do not ask. */
export const machineMessageBytesMax = 64 * KiB
/** QEMU, "virtio-scsi": targets of one controller. */
export const machineDisksMax = 256
/** What happens to a disk is told at most this often; a machine may try again a thousand times in a second. */
export const diskErrorNoticeMs = 60 * second
/** Firmware and a loader run in less; a kernel needs more. */
export const machineMemoryMibMin = 32
