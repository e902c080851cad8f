// A real NBD client, libnbd's, run as anybody would run it.

import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TourBroken } from './teller.ts'

export interface NbdClient {
  readonly uri: string
  /** The command of `nbdsh` to print, and what it printed; rejects when it fails. */
  run(script: string): Promise<{ command: string; output: string }>
  /** Starts a script that goes on until it is cut; resolves with what it printed at its end. */
  start(script: string): { command: string; ended: Promise<string>; started: Promise<void> }
  [Symbol.dispose](): void
}

/** `nbdsh` reads the secret from a file that only its owner may read. */
export function nbdClient(uri: string, identity: string, key: string): NbdClient {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-tour-'))
  const secretPath = join(folder, 'psk')
  closeSync(openSync(secretPath, 'wx', 0o600))
  writeFileSync(secretPath, `${identity}:${key}\n`)
  const full = `${uri}?tls-psk-file=${secretPath}`
  const connect = `h.set_uri_allow_local_file(True); h.connect_uri("${full}")`

  function launch(script: string) {
    // What nbdsh does, with the system's Python: another one on PATH does not have libnbd's module.
    const child = spawn('/usr/bin/python3', ['-m', 'nbd', '-c', connect, '-c', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    let errors = ''
    const started = new Promise<void>((resolve) => child.stdout.once('data', () => resolve()))
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()))
    const ended = new Promise<{ status: number | null; output: string; errors: string }>((resolve, reject) => {
      child.once('error', (cause) =>
        reject(new TourBroken('nbdsh cannot be run: apt-get install python3-libnbd', { cause })),
      )
      child.once('close', (status) => resolve({ status, output, errors }))
    })
    return { started, ended }
  }

  const command = (script: string): string => `nbdsh -c '${connect}' \\\n    -c '${script}'`
  return {
    uri: full,
    async run(script) {
      const { status, output, errors } = await launch(script).ended
      if (status !== 0) throw new TourBroken(`nbdsh ended with ${status}: ${errors}`)
      return { command: command(script), output }
    },
    start(script) {
      const { started, ended } = launch(script)
      return { command: command(script), started, ended: ended.then(({ output }) => output) }
    },
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
}
