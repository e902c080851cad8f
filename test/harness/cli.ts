// The command line as a user has it: the program itself, with a configuration folder of its own and nothing of ours in its
// environment.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { afterwards, projectFolder, startServer, tempFolder } from './server.ts'
import type { Server } from './server.ts'
import type { Json } from './api.ts'

export interface Said {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface Keyward {
  readonly configFolder: string
  /** Runs to the end, with nothing on standard input unless it is given. */
  run(
    args: readonly string[],
    more?: { readonly input?: string; readonly env?: Readonly<Record<string, string>> },
  ): Promise<Said>
  /** As `run`, and it must end with 0; gives what `--json` printed. */
  json(...args: readonly string[]): Promise<Json>
  /** Beside the test, for what goes on until it is ended. */
  start(args: readonly string[]): ChildProcess
}

const program = join(projectFolder, 'bin/keyward.mjs')

export function keyward(t: TestContext): Keyward {
  const configFolder = tempFolder(t, 'keyward-cli-')
  const environment = { PATH: process.env['PATH'] ?? '', HOME: configFolder, XDG_CONFIG_HOME: configFolder }

  function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...environment, ...env },
    })
    afterwards(t, () => void child.kill('SIGKILL'))
    return child
  }

  async function run(
    args: readonly string[],
    more: { readonly input?: string; readonly env?: Readonly<Record<string, string>> } = {},
  ): Promise<Said> {
    const child = start(args, more.env)
    // Whoever does not read its input closes it.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(more.input ?? '')
    return await saidBy(child)
  }

  return {
    configFolder,
    run,
    start,
    async json(...args) {
      const { code, stdout, stderr } = await run([...args, '--json'])
      if (code !== 0) throw new Error(`keyward ${args.join(' ')} ended with ${code}: ${stderr}`)
      return stdout === '' ? undefined : JSON.parse(stdout)
    },
  }
}

/** Signed in to both accounts, as targets `a` and `b`; `b` is the current one. */
export async function signedIn(
  t: TestContext,
  extra: readonly string[] = [],
): Promise<{ server: Server; cli: Keyward }> {
  const server = await startServer(t, tempFolder(t), extra)
  const cli = keyward(t)
  for (const [name, account] of [
    ['a', server.a.account],
    ['b', server.b.account],
  ] as const) {
    const said = await cli.run(['login', name, '--url', server.baseUrl], { input: `${account.apiKey}\n` })
    assert.equal(said.code, 0, said.stderr)
    assert.match(said.stdout, new RegExp(`Signed in to account ${account.id} as .*: target ${name}\\.`))
  }
  return { server, cli }
}

export function saidBy(child: ChildProcess): Promise<Said> {
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  return new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, stdout, stderr })))
}
