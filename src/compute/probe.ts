// Whether machines can be run on this host, and how: asked once, by starting one that has nothing and telling it to quit. What
// is missing is named before any tenant needs it.

import { access, constants } from 'node:fs/promises'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { machineStartMs } from '#base/limits-compute.ts'
import { within } from '#base/within.ts'
import { platformArguments } from './command-line.ts'
import type { Accelerator } from './command-line.ts'
import { guardProgram, launch } from './launch.ts'
import { openQmp } from './qmp.ts'

/** Fault 'unavailable' with a sentence for the operator. */
export async function probe(program: string, clock: Clock): Promise<Accelerator> {
  await needed(program, 'qemu-system-x86')
  await needed(guardProgram, 'util-linux')
  // Through KVM if the device is there and does what a machine needs; nested, it may be there and not do it.
  if ((await isUsable('/dev/kvm')) && (await complaintOf(program, 'kvm', clock)) === null) return 'kvm'
  const complaint = await complaintOf(program, 'tcg', clock)
  if (complaint === null) return 'tcg'
  throw new Fault('unavailable', `machines cannot be run here: ${program} says: ${complaint}`)
}

async function needed(path: string, debianPackage: string): Promise<void> {
  try {
    await access(path, constants.X_OK)
  } catch {
    throw new Fault(
      'unavailable',
      `machines cannot be run here: there is no program ${path} (Debian's package ${debianPackage} has it)`,
    )
  }
}

const isUsable = (path: string): Promise<boolean> =>
  access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  )

async function complaintOf(program: string, accelerator: Accelerator, clock: Clock): Promise<string | null> {
  const launched = launch(program, [...platformArguments(accelerator), '-m', '32M'])
  launched.serial.on('error', () => undefined).resume()
  let isGreeted = false
  const quit = openQmp(launched.monitor, () => undefined).then((qmp) => {
    isGreeted = true
    return qmp.execute('quit')
  })
  let why = 'nothing'
  try {
    await within(clock, machineStartMs, quit, { sentence: 'it did not answer in time' })
  } catch (error) {
    why = error instanceof Fault ? error.message : String(error)
    launched.process.kill('SIGKILL')
  }
  // Its end may come before its answer.
  if ((await launched.ended) && isGreeted) return null
  return launched.complaint() || why
}
