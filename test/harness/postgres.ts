// A PostgreSQL of the test's own, from Debian's packages, in a folder of its own, on a socket that nobody else reaches.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'

const versionsFolder = '/usr/lib/postgresql'

export interface Postgres extends AsyncDisposable {
  readonly folder: string
  readonly port: number
  /** Of an empty database of its own. */
  createDatabase(): Promise<string>
  /** Of a database by its name. */
  urlOf(database: string): string
  /** SIGKILL to the server and all that serve for it; `start` brings it back. */
  kill(): Promise<void>
  start(): Promise<void>
}

/** The server's programs refuse to run as root: the package brings a user for them. */
function serverUser(): { readonly uid: number; readonly gid: number } | Record<string, never> {
  if (process.getuid?.() !== 0) return {}
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

function programsFolder(): string {
  const versions = existsSync(versionsFolder)
    ? readdirSync(versionsFolder)
        .map(Number)
        .sort((a, b) => b - a)
    : []
  assert.ok(versions[0], 'PostgreSQL is not installed: sh scripts/needs.sh test')
  return join(versionsFolder, String(versions[0]), 'bin')
}

export async function startPostgres(): Promise<Postgres> {
  const programs = programsFolder()
  const user = serverUser()
  const folder = mkdtempSync(join(tmpdir(), 'keyward-pg-'))
  const data = join(folder, 'data')
  mkdirSync(data)
  for (const path of [folder, data]) {
    chmodSync(path, 0o700)
    if (user.uid !== undefined) chownSync(path, user.uid, user.gid)
  }
  const initdb = ['-D', data, '-U', 'keyward', '-A', 'trust', '-E', 'UTF8', '--locale', 'C.UTF-8', '-N']
  execFileSync(join(programs, 'initdb'), initdb, { ...user, cwd: folder, stdio: 'pipe' })

  const port = 5432
  let server: ChildProcess | null = null
  let databases = 0
  const urlOf = (database: string): string =>
    `postgres://keyward@localhost:${port}/${database}?host=${encodeURIComponent(folder)}`

  async function start(): Promise<void> {
    const args = ['-D', data, '-k', folder, '-c', 'listen_addresses=', '-c', 'max_connections=200']
    server = spawn(join(programs, 'postgres'), [...args, '-p', String(port)], {
      ...user,
      cwd: folder,
      stdio: 'ignore',
      detached: true,
    })
    for (let attempt = 0; ; attempt += 1) {
      const client = new Client({ connectionString: urlOf('postgres') })
      client.on('error', () => {})
      try {
        await client.connect()
        return await client.end()
      } catch (error) {
        assert.ok(attempt < 600 && server.exitCode === null, String(error))
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGQUIT'): Promise<void> {
    const running = server
    server = null
    if (!running?.pid || running.exitCode !== null) return
    const gone = new Promise((resolve) => running.once('exit', resolve))
    // Its helpers are of its process group, but for those that made one of their own.
    process.kill(signal === 'SIGKILL' ? -running.pid : running.pid, signal)
    await gone
  }

  await start()
  return {
    folder,
    port,
    urlOf,
    start,
    kill: () => end('SIGKILL'),
    async createDatabase() {
      const name = `test_${process.pid}_${(databases += 1)}`
      const client = new Client({ connectionString: urlOf('postgres') })
      await client.connect()
      await client.query(`create database ${name}`)
      await client.end()
      return urlOf(name)
    },
    async [Symbol.asyncDispose]() {
      await end('SIGQUIT')
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
