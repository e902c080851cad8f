// Clients that other people wrote, run as their users run them; for tests.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync } from 'node:fs'
import { join } from 'node:path'

/** For a test that cannot do without some tools: it is skipped where they are missing, and says so. */
export const needs = (...tools: string[]): { skip: string | false } => {
  const missing = tools.filter((tool) => !isInstalled(tool))
  return { skip: missing.length > 0 && `not installed: ${missing.join(', ')}` }
}

function isInstalled(tool: string): boolean {
  return ['/usr/bin', '/usr/sbin'].some((place) => {
    try {
      accessSync(join(place, tool))
      return true
    } catch {
      return false
    }
  })
}

export interface Ran {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs a tool of the system. The time limit turns a hang into a failure. */
export async function run(tool: string, ...args: string[]): Promise<Ran> {
  const child = spawn(tool, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
    env: { PATH: '/usr/bin:/usr/sbin' },
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()))
  const [code] = await once(child, 'close')
  return { code: typeof code === 'number' ? code : null, out, err }
}

export async function succeed(tool: string, ...args: string[]): Promise<string> {
  const { code, out, err } = await run(tool, ...args)
  assert.equal(code, 0, `${tool} ${args.join(' ')}: ${err}${out}`)
  return out
}

export const python = (uri: string, ...lines: string[]): Promise<Ran> =>
  nbdshUnconnected('h.set_uri_allow_local_file(True)', `h.connect_uri(${JSON.stringify(uri)})`, ...lines)

export interface Talking {
  /** The newest line that it printed; empty before the first. */
  line(): string
  /** Fulfilled when there is one. */
  spoken(): Promise<void>
  /** Ends it, unless it has ended by itself. */
  stop(): Promise<void>
}

/** Runs nbdsh on and on, and listens. */
export function startPython(uri: string, ...lines: string[]): Talking {
  const program = ['h.set_uri_allow_local_file(True)', `h.connect_uri(${JSON.stringify(uri)})`, ...lines].join('\n')
  const child = spawn('/usr/bin/nbdsh', ['-c', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 120_000,
    env: { PATH: '/usr/bin:/usr/sbin' },
  })
  const closed = once(child, 'close')
  const spoke = once(child.stdout, 'data')
  let line = ''
  let rest = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const parts = (rest + chunk.toString()).split('\n')
    rest = parts.pop() ?? ''
    line = parts.at(-1) ?? line
  })
  return {
    line: () => line,
    async spoken() {
      await Promise.race([spoke, closed])
      assert.notEqual(line, '', 'it ended before it said anything')
    },
    async stop() {
      child.kill('SIGKILL')
      await closed
    },
  }
}

export const nbdshUnconnected = (...lines: string[]): Promise<Ran> => run('/usr/bin/nbdsh', '-c', lines.join('\n'))

export async function nbdsh(uri: string, ...lines: string[]): Promise<string> {
  const { code, out, err } = await python(uri, ...lines)
  assert.equal(code, 0, err)
  return out
}
