// A PostgreSQL of the test's own, from Debian's packages, in a folder of its own, on a socket that nobody else reaches.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { Client } from 'pg'

const versionsFolder = '/usr/lib/postgresql'

export interface Postgres extends AsyncDisposable {
  /** Where its socket is. */
  readonly folder: string
  /** Of an empty database of its own. */
  createDatabase(): Promise<string>
  /** Of a database by its name. */
  urlOf(database: string): string
  /** SIGKILL to the server and all that serve for it; `start` brings it back. */
  kill(): Promise<void>
  start(): Promise<void>
  /** A second server, which holds whatever this one acknowledges from now on, and can take its place. */
  startStandby(): Promise<Standby>
}

export interface Standby extends Postgres {
  promote(): void
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
  const place = makePlace()
  const settings = ['-U', 'keyward', '-A', 'trust', '-E', 'UTF8', '--locale', 'C.UTF-8', '-N']
  place.run('initdb', ['-D', place.data, ...settings])
  return await serve(place)
}

const port = 5432

const urlAt = (folder: string, database: string): string =>
  `postgres://keyward@localhost:${port}/${database}?host=${encodeURIComponent(folder)}`

/** A folder for a server, and its programs. */
function makePlace() {
  const programs = programsFolder()
  const user = serverUser()
  const folder = mkdtempSync(join(tmpdir(), 'keyward-pg-'))
  const data = join(folder, 'data')
  mkdirSync(data)
  for (const path of [folder, data]) {
    chmodSync(path, 0o700)
    if (user.uid !== undefined) chownSync(path, user.uid, user.gid)
  }
  const options = { ...user, cwd: folder }
  return {
    folder,
    data,
    run: (name: string, args: readonly string[]) =>
      execFileSync(join(programs, name), args, { ...options, stdio: 'pipe' }),
    launch: (name: string, args: readonly string[]) =>
      spawn(join(programs, name), args, { ...options, stdio: 'ignore', detached: true }),
  }
}

type Place = ReturnType<typeof makePlace>

async function serve(place: Place): Promise<Standby> {
  const { folder, data } = place
  let server: ChildProcess | null = null
  let databases = 0
  const urlOf = (database: string): string => urlAt(folder, database)

  async function ask(text: string): Promise<void> {
    const client = new Client({ connectionString: urlOf('postgres') })
    client.on('error', () => {})
    try {
      await client.connect()
      await client.query(text)
    } finally {
      await client.end().catch(() => undefined)
    }
  }

  async function start(): Promise<void> {
    const settings = ['listen_addresses=', `unix_socket_directories=${folder}`, 'max_connections=200']
    server = place.launch('postgres', ['-D', data, '-p', String(port), ...settings.flatMap((one) => ['-c', one])])
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await ask('select 1')
      } catch (error) {
        assert.ok(attempt < 600 && server.exitCode === null, String(error))
        await setTimeout(50)
      }
    }
  }

  async function end(signal: 'SIGKILL' | 'SIGQUIT'): Promise<void> {
    const running = server
    server = null
    if (!running?.pid || running.exitCode !== null || running.signalCode !== null) return
    const gone = new Promise((resolve) => running.once('exit', resolve))
    // Those that serve for it have process groups of their own; they end when they find it gone, and so does its socket.
    process.kill(running.pid, signal)
    await gone
  }

  await start()
  return {
    folder,
    urlOf,
    start,
    kill: () => end('SIGKILL'),
    async createDatabase() {
      const name = `test_${process.pid}_${(databases += 1)}`
      await ask(`create database ${name}`)
      return urlOf(name)
    },
    async startStandby() {
      const other = makePlace()
      place.run('pg_basebackup', ['-d', urlOf('postgres'), '-D', other.data, '-R', '-X', 'stream', '-c', 'fast'])
      const standby = await serve(other)
      await ask(`alter system set synchronous_standby_names = '*'`)
      await ask('select pg_reload_conf()')
      return standby
    },
    promote: () => void place.run('pg_ctl', ['promote', '-D', data]),
    async [Symbol.asyncDispose]() {
      await end('SIGQUIT')
      rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}
