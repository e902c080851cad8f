// Real NBD clients: libnbd's shell and tools, and qemu's.

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Json } from './api.ts'

/** What nbdsh does, with the system's Python: another one on PATH does not have libnbd's module. */
const nbdshCommand = ['/usr/bin/python3', '-m', 'nbd'] as const

/** A libnbd URI for the TLS endpoint of a connection answer. */
export function tlsUri(connection: Json, folder: string): string {
  const path = join(folder, `psk-${connection.tls.psk_identity.replaceAll(/\W/g, '')}`)
  writeFileSync(path, `${connection.tls.psk_identity}:${connection.tls.psk_key}\n`, { mode: 0o600 })
  return `${connection.uri}?tls-psk-file=${path}`
}

export interface Ran {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

export function run(command: string, ...args: string[]): Ran {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8' })
  if (error) throw error
  return { status, stdout, stderr }
}

const connect = (uri: string): string => `h.set_uri_allow_local_file(True); h.connect_uri("${uri}")`

/** Runs a script of nbdsh, where `h` is the connection, and gives what it printed. */
export function nbdsh(uri: string, script: string): string {
  const { status, stdout, stderr } = run(...nbdshCommand, '-c', connect(uri), '-c', script)
  assert.equal(status, 0, stderr)
  return stdout.trim()
}

export const tryNbdsh = (uri: string, script: string): Ran => run(...nbdshCommand, '-c', connect(uri), '-c', script)

/** A script that goes on beside the test. */
export function startNbdsh(uri: string, script: string): { started: Promise<void>; ended: Promise<Ran> } {
  const child = spawn(nbdshCommand[0], [...nbdshCommand.slice(1), '-c', connect(uri), '-c', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  const started = new Promise<void>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk.toString()
      resolve()
    })
    child.once('close', (status) => reject(new Error(`nbdsh ended with ${status} before it began: ${stderr}`)))
  })
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const ended = new Promise<Ran>((resolve) => child.once('close', (status) => resolve({ status, stdout, stderr })))
  return { started, ended }
}
