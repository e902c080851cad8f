// QEMU as a child of this process: it ends when we end, however that comes; it has no environment of ours, no input, and of
// our descriptors only those that it is given.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import { assert } from '#base/assert.ts'
import { machineErrorBytesMax } from '#base/limits-compute.ts'

/** Of util-linux: it asks the kernel to kill what it becomes when its parent ends, which Node cannot ask for a child. */
export const guardProgram = '/usr/bin/setpriv'

export interface Launched {
  readonly process: ChildProcess
  readonly monitor: Socket
  readonly serial: Socket
  /** Fulfilled when the process has gone and everything it said was heard. True when it ended as one that is content. */
  readonly ended: Promise<boolean>
  /** The last of what it has complained of. */
  complaint(): string
}

export function launch(program: string, args: readonly string[]): Launched {
  const child = spawn(guardProgram, ['--pdeathsig', 'KILL', '--no-new-privs', '--', program, ...args], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    env: {},
  })
  let complaint = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-machineErrorBytesMax)
  })
  const ended = new Promise<boolean>((resolve) => {
    child.once('close', (code) => resolve(code === 0))
    child.once('error', (error) => {
      complaint = error.message
      resolve(false)
    })
  })
  return {
    process: child,
    monitor: socketOf(child, 3),
    serial: socketOf(child, 4),
    ended,
    complaint: () => complaint.trim().split('\n').at(-1) ?? '',
  }
}

function socketOf(child: ChildProcess, descriptor: number): Socket {
  const stream = child.stdio[descriptor]
  assert(stream instanceof Socket, 'a pipe to a child is a socket')
  return stream
}
