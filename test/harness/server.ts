// Starts the real program, as a user would, in a data folder of its own, on ports of its own. It is ended by pid and
// leaves nothing behind.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { TestContext } from 'node:test'
import { urlForTest } from '../../src/store/testing/open.ts'
import { api } from './api.ts'
import type { Api } from './api.ts'

export const projectFolder = resolve(import.meta.dirname, '../..')
const program = join(projectFolder, 'bin/keyward.mjs')

export interface Account {
  readonly name: string
  readonly id: string
  readonly apiKey: string
  readonly resourceGroupId: string
  readonly kmsInstanceId: string
}

export interface BootstrapFile {
  readonly accounts: readonly [Account, Account]
  readonly endpoints: Readonly<Record<'iam' | 'kms' | 'vpc' | 'resourceController' | 'cos', string>>
}

export interface Server {
  readonly folder: string
  readonly processId: number
  readonly bootstrap: BootstrapFile
  readonly baseUrl: string
  readonly a: Api
  readonly b: Api
  /** Sets the clock of keys forward: the server is started with a virtual one. */
  advance(seconds: number): Promise<void>
  /** What it has printed so far, both streams. */
  output(): string
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>
  /** SIGKILL to the whole tree. */
  kill(): Promise<void>
  /** SIGKILL to the server alone: what it has started sees to itself. */
  crash(): Promise<void>
}

const endings = new WeakMap<TestContext, (() => void | Promise<void>)[]>()

/** What is to be done after the test: the last first, each whatever became of the others. The runner's own hooks run in the
 * order of their registration, and a server must be gone before its folder is removed. */
export function afterwards(t: TestContext, end: () => void | Promise<void>): void {
  const known = endings.get(t)
  if (known) return void known.push(end)
  const stack = [end]
  endings.set(t, stack)
  t.after(async () => {
    for (const next of stack.toReversed()) {
      try {
        await next()
      } catch (error) {
        t.diagnostic(String(error))
      }
    }
  })
}

export function tempFolder(t: TestContext, name = 'keyward-test-'): string {
  const folder = mkdtempSync(join(tmpdir(), name))
  afterwards(t, () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }))
  return folder
}

/** Runs the program until it ends by itself: for refusals. */
export async function runToEnd(
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = launch(args, environment)
  let [stdout, stderr] = ['', '']
  child.stdout?.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const code = await ended(child)
  return { code, stdout, stderr }
}

/** Starts in the given folder, so that a second start finds what the first has left. */
export async function startServer(
  t: TestContext,
  folder: string,
  extra: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const logLevel = operationsFile === undefined ? 'warn' : 'debug'
  const fixed = ['--port', '0', '--nbd-port', '0', '--log-level', logLevel, '--check-replies', '--clock', 'virtual']
  const databaseUrl = extra.includes('--database') ? null : await urlForTest(folder)
  const database = databaseUrl === null ? [] : ['--database', databaseUrl]
  const child = launch(['--data', folder, ...database, ...fixed, ...extra], environment)
  let output = ''
  afterwards(t, () => noteOperations(output))
  const ready = new Promise<void>((resolve, reject) => {
    const note = (chunk: Buffer): void => {
      output += chunk.toString()
      if (output.includes('keyward is ready')) resolve()
    }
    child.stdout?.on('data', note)
    child.stderr?.on('data', note)
    child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)))
  })
  afterwards(t, () => killTree(child))
  await ready

  const bootstrap: BootstrapFile = JSON.parse(readFileSync(join(folder, 'bootstrap.json'), 'utf8'))
  const [accountA, accountB] = bootstrap.accounts
  assert.ok(child.pid)
  return {
    folder,
    processId: child.pid,
    bootstrap,
    baseUrl: bootstrap.endpoints.iam,
    a: api(bootstrap.endpoints.iam, accountA),
    b: api(bootstrap.endpoints.iam, accountB),
    async advance(seconds) {
      const token = readFileSync(join(folder, 'operator.token'), 'utf8').trim()
      const response = await fetch(`${bootstrap.endpoints.iam}/keyward/v1/clock/advance`, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify({ seconds }),
      })
      assert.equal(response.status, 200, await response.text())
    },
    output: () => output,
    async stop() {
      const end = ended(child)
      child.kill('SIGTERM')
      return await end
    },
    kill: () => killTree(child),
    async crash() {
      const end = ended(child)
      child.kill('SIGKILL')
      await end
    },
  }
}

/** Where `npm test` collects which operations the tests have seen answered; see scripts/untested-operations.ts. */
const operationsFile = process.env['TEST_OPERATIONS_FILE']

function noteOperations(output: string): void {
  if (operationsFile === undefined) return
  const names = new Set([...output.matchAll(/"operation":"(\w+)"/g)].map(([, name]) => name))
  appendFileSync(operationsFile, [...names, ''].join('\n'))
}

function launch(args: readonly string[], environment: Readonly<Record<string, string>>): ChildProcess {
  // A process group of its own, so that the tree can be killed at once; nothing of the caller's settings.
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('KEYWARD_'))
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', program, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(inherited), ...environment },
  })
}

const ended = (child: ChildProcess): Promise<number | null> =>
  child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve(child.exitCode)
    : new Promise((resolve) => child.once('close', (code) => resolve(code)))

async function killTree(child: ChildProcess): Promise<void> {
  assert.ok(child.pid)
  const end = ended(child)
  try {
    process.kill(-child.pid, 'SIGKILL')
  } catch (error) {
    // The whole group has gone already.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error
  }
  await end
}
