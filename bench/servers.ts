// The servers that are compared, each at its best and each on an image of its own: ours as it is deployed, the encrypting
// peers, and two that do not encrypt, as the bound of what the protocol, the page cache and the client allow.

import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { systemClock } from '#base/clock.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import { startDiskPool } from '#disk/pool.ts'
import type { IntegrityBook } from '#disk/port.ts'
import { makeFakeKms } from '#disk/testing/fake-kms.ts'
import { memoryBook } from '#disk/testing/memory-book.ts'
import { makeOutbox } from '#events/outbox.ts'
import { openSqlite } from '#store/sqlite.ts'
import { makeIntegrityBook } from '#vpc/integrity-book.ts'

export type Kind = 'ours' | 'ours with tags' | 'encrypting' | 'raw'

export interface Server {
  readonly name: string
  readonly kind: Kind
  /** For fio: unix socket. */
  readonly uri: string
  /** Null where the server is not compared over TLS. */
  readonly tlsUri: string | null
  /** User and system time of all its threads so far. */
  cpuSeconds(): number
  residentBytes(): number
  close(): Promise<void>
}

export const imageBytes = 1024 * 1024 * 1024

/** Peers allocate and free a buffer per request; without this they spend their time on page faults (README.md). */
const tunedMalloc = {
  GLIBC_TUNABLES:
    'glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296:glibc.malloc.top_pad=67108864',
}
const passphrase = 'bench-passphrase'

/** Starts those whose names match, in an empty folder. `tags` is our own server twice instead: without tags and with them. */
export async function startServers(folder: string, wanted: RegExp, tags: boolean): Promise<Server[]> {
  if (tags) return [await keyward({ folder, pskFile: '' }), await keywardWithTags(folder)]
  const pskFile = join(folder, 'keys.psk')
  const key = Buffer.from(systemRandom.bytes(32)).toString('hex')
  writeFileSync(pskFile, `bench:${key}\n`, { mode: 0o600 })
  const place: Place = { folder, pskFile }
  const recipes = [
    keyward,
    ...[qemuLuks('threads'), qemuLuks('io_uring'), qemuQcow2, nbdkitLuks, nbdkitRaw, qemuRaw].map(
      (recipe) => (at: Place) => startPeer(recipe, at),
    ),
  ]
  const names = ['keyward', 'qemu-nbd luks', 'qemu-nbd luks io_uring', 'qemu-storage-daemon qcow2+luks']
  names.push('nbdkit luks', 'nbdkit raw', 'qemu-nbd raw')
  const servers: Server[] = []
  for (const [index, start] of recipes.entries()) {
    if (wanted.test(names[index] ?? '')) servers.push(await start(place))
  }
  return servers
}

interface Place {
  readonly folder: string
  readonly pskFile: string
}

const keyward = ({ folder }: Place): Promise<Server> =>
  ours({ folder, name: 'keyward', kind: 'ours', book: memoryBook() })

/** What is remembered of its tags is in a database, as it is deployed. */
async function keywardWithTags(folder: string): Promise<Server> {
  const database = await openSqlite(join(folder, 'bench.db'))
  const book = makeIntegrityBook({ database, outbox: makeOutbox(systemClock, systemRandom) })
  const server = await ours({ folder, name: 'keyward with tags', kind: 'ours with tags', book })
  return {
    ...server,
    async close() {
      await server.close()
      await database.close()
    },
  }
}

interface OurParts extends Pick<Server, 'name' | 'kind'> {
  readonly folder: string
  readonly book: IntegrityBook
}

async function ours({ folder, name, kind, book }: OurParts): Promise<Server> {
  const kms = makeFakeKms()
  const others = childrenOf(process.pid, 'disk/process.ts')
  const pool = await startDiskPool({
    dataFolder: join(folder, name.replaceAll(' ', '-')),
    host: '127.0.0.1',
    tcpPort: 0,
    processCount: 1,
    accessSecret: systemRandom.bytes(32),
    log: makeLog('warn'),
    clock: systemClock,
    random: systemRandom,
    kms,
    book,
    onRestart: () => {
      throw new Error('the disk process died')
    },
  })
  const volumeCrn = 'crn:bench'
  const volume = {
    volumeId: 'bench',
    volumeCrn,
    capacityBytes: imageBytes,
    keyCrn: 'crn:bench-key',
    wrappedDataKey: kms.wrapNewKey(volumeCrn),
    as: { kind: 'service', serviceName: 'server-protect', accountId: 'b'.repeat(32) },
    isAuthenticated: kind === 'ours with tags',
  } as const
  await pool.port.createVolume(volume)
  await pool.port.addExport({ attachmentId: 'bench', volume })
  const { uri, unixUri, pskIdentity, pskKey } = await pool.port.connect('bench', 'bench', 24 * 3600 * 1000)
  const pskFile = join(folder, 'keyward.psk')
  writeFileSync(pskFile, `${pskIdentity}:${pskKey}\n`, { mode: 0o600 })
  const pids = childrenOf(process.pid, 'disk/process.ts').filter((pid) => !others.includes(pid))
  // Peers open their images once, when they start. Ours stays open as long as a client has it: this one.
  const idle = await idleClient(new URL(unixUri).searchParams.get('socket') ?? '')
  return {
    name,
    kind,
    uri: unixUri,
    tlsUri: `${uri}?tls-psk-file=${pskFile}`,
    cpuSeconds: () => cpuOf(pids),
    residentBytes: () => residentOf(pids),
    close: async () => {
      idle.destroy()
      await pool.close()
    },
  }
}

/** Greets, asks for the default export, and is silent from then on. */
async function idleClient(path: string): Promise<Socket> {
  const socket = connect(path)
  await once(socket, 'connect')
  const go = Buffer.from('0000000349484156454f50540000000700000006000000000000', 'hex')
  socket.write(go)
  socket.resume()
  return socket
}

interface Recipe {
  readonly name: string
  readonly kind: Kind
  /** Makes the image. */
  prepare(image: string): void
  command(at: Place & { image: string; socket: string }): readonly string[]
  /** The same server on a TCP port with TLS; null where none is compared. */
  tlsCommand(at: Place & { image: string; port: number }): readonly string[] | null
}

const secret = ['--object', `secret,id=s,data=${passphrase}`]
const pskFolder = (at: Place): string[] => ['--object', `tls-creds-psk,id=t,endpoint=server,dir=${at.folder}`]

function qemuLuks(aio: string): Recipe {
  const image = (path: string): string =>
    `driver=luks,key-secret=s,discard=unmap,file.driver=file,file.filename=${path},file.aio=${aio}`
  const base = ['qemu-nbd', '-t', '-e', '16', ...secret, `--aio=${aio}`, '--cache=writeback']
  return {
    name: aio === 'threads' ? 'qemu-nbd luks' : `qemu-nbd luks ${aio}`,
    kind: 'encrypting',
    prepare: makeLuks1,
    command: (at) => [...base, '-k', at.socket, '--image-opts', image(at.image)],
    tlsCommand: (at) => {
      const tls = [...pskFolder(at), '--tls-creds', 't', '-b', '127.0.0.1', '-p', String(at.port)]
      return aio === 'threads' ? [...base, ...tls, '--image-opts', image(at.image)] : null
    },
  }
}

const qemuQcow2: Recipe = {
  name: 'qemu-storage-daemon qcow2+luks',
  kind: 'encrypting',
  prepare: (image) =>
    run('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      ...secret,
      '-o',
      'encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10,preallocation=metadata',
      image,
      String(imageBytes),
    ]),
  command: (at) => [
    'qemu-storage-daemon',
    ...secret,
    '--blockdev',
    `driver=file,node-name=f,filename=${at.image},aio=threads`,
    '--blockdev',
    'driver=qcow2,node-name=q,file=f,encrypt.format=luks,encrypt.key-secret=s',
    '--nbd-server',
    `addr.type=unix,addr.path=${at.socket},max-connections=16`,
    '--export',
    'type=nbd,id=e,node-name=q,name=,writable=on',
  ],
  tlsCommand: () => null,
}

const nbdkitLuks: Recipe = {
  name: 'nbdkit luks',
  kind: 'encrypting',
  prepare: makeLuks1,
  command: (at) => ['nbdkit', '-f', '-U', at.socket, '--filter=luks', 'file', at.image, `passphrase=${passphrase}`],
  tlsCommand: (at) => [
    'nbdkit',
    '-f',
    '-i',
    '127.0.0.1',
    '-p',
    String(at.port),
    '--tls=require',
    `--tls-psk=${at.pskFile}`,
    '--filter=luks',
    'file',
    at.image,
    `passphrase=${passphrase}`,
  ],
}

const nbdkitRaw: Recipe = {
  name: 'nbdkit raw',
  kind: 'raw',
  prepare: makeRaw,
  command: (at) => ['nbdkit', '-f', '-U', at.socket, 'file', at.image],
  tlsCommand: (at) => [
    'nbdkit',
    '-f',
    '-i',
    '127.0.0.1',
    '-p',
    String(at.port),
    '--tls=require',
    `--tls-psk=${at.pskFile}`,
    'file',
    at.image,
  ],
}

const qemuRaw: Recipe = {
  name: 'qemu-nbd raw',
  kind: 'raw',
  prepare: makeRaw,
  command: (at) => [
    'qemu-nbd',
    '-t',
    '-e',
    '16',
    '-k',
    at.socket,
    '-f',
    'raw',
    '--cache=writeback',
    '--discard=unmap',
    '--aio=threads',
    at.image,
  ],
  tlsCommand: () => null,
}

function makeLuks1(image: string): void {
  const options = 'key-secret=s,cipher-alg=aes-256,cipher-mode=xts,ivgen-alg=plain64,hash-alg=sha256,iter-time=10'
  run('qemu-img', ['create', '-q', '-f', 'luks', ...secret, '-o', options, image, String(imageBytes)])
}

function makeRaw(image: string): void {
  const fd = openSync(image, 'w')
  ftruncateSync(fd, imageBytes)
  closeSync(fd)
}

let started = 0

async function startPeer(recipe: Recipe, place: Place): Promise<Server> {
  const index = (started += 1)
  const image = join(place.folder, `image-${index}`)
  recipe.prepare(image)
  const socket = join(place.folder, `peer-${index}.sock`)
  const children = [launch(recipe.command({ ...place, image, socket }), place.folder)]
  await reachable({ path: socket })
  const port = 20_000 + (process.pid % 10_000) + index
  // A server with TLS on the same image waits for its turn; the two are never used at the same time.
  const tlsCommand = recipe.tlsCommand({ ...place, image, port })
  if (tlsCommand) {
    const [tool = '', ...args] = tlsCommand
    const unlocked = tool === 'qemu-nbd' ? [tool, ...args.map((arg) => unlock(arg))] : tlsCommand
    children.push(launch(unlocked, place.folder))
    await reachable({ port, host: '127.0.0.1' })
  }
  const pids = children.map((child) => child.pid ?? 0)
  return {
    name: recipe.name,
    kind: recipe.kind,
    uri: `nbd+unix:///?socket=${socket}`,
    tlsUri: tlsCommand && `nbds://bench@127.0.0.1:${port}/?tls-psk-file=${place.pskFile}`,
    cpuSeconds: () => cpuOf(pids),
    residentBytes: () => residentOf(pids.slice(0, 1)),
    close: async () => {
      for (const child of children) child.kill('SIGTERM')
      await Promise.all(children.map(ended))
    },
  }
}

/** qemu locks its images against itself. */
const unlock = (argument: string): string =>
  argument.startsWith('driver=luks') ? `${argument},file.locking=off` : argument

function launch(command: readonly string[], folder: string): ChildProcess {
  const [tool = '', ...args] = command
  const child = spawn(tool, args, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { PATH: '/usr/bin:/usr/sbin', ...tunedMalloc },
  })
  child.on('error', (error) => {
    throw error
  })
  // However this process ends, its peers end with it.
  process.once('exit', () => child.kill('SIGKILL'))
  return child
}

const ended = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once('exit', () => resolve())
  })

async function reachable(at: { path: string } | { port: number; host: string }): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const isOpen = await new Promise<boolean>((resolve) => {
      const socket = connect(at, () => resolve(true))
      socket.once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (isOpen) return
    await sleep(20)
  }
  throw new Error(`nobody listens at ${JSON.stringify(at)}`)
}

/** qemu-img measures how fast it hashes, and gives up when a busy machine lets it see no time pass. */
const triesMax = 10

function run(tool: string, args: readonly string[]): void {
  let words = ''
  for (let tries = 0; tries < triesMax; tries += 1) {
    const { status, stderr } = spawnSync(tool, args, { encoding: 'utf8' })
    if (status === 0) return
    words = stderr
  }
  throw new Error(`${tool} ${args.join(' ')}: ${words}`)
}

function childrenOf(pid: number, script: string): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  return children.filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes(script))
}

const ticksPerSecond = 100

export function cpuOf(pids: readonly number[]): number {
  const ticks = pids.map((pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return Number(fields[11]) + Number(fields[12])
  })
  return ticks.reduce((sum, of) => sum + of, 0) / ticksPerSecond
}

function residentOf(pids: readonly number[]): number {
  const kib = pids.map((pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]))
  return kib.reduce((sum, of) => sum + of, 0) * 1024
}

/** Tells the outcome as it comes: a benchmark takes long. */
export const say = (line: string): void => void writeSync(2, `${line}\n`)
