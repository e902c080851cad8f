// A pool with two real processes and a key manager that can take keys away, for tests of the data plane as a whole.

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#base/clock.ts'
import { systemRandom } from '#base/random.ts'
import { makeLog } from '#base/log.ts'
import { makeFakeKms } from './fake-kms.ts'
import { memoryBook } from './memory-book.ts'
import { startDiskPool } from '../pool.ts'
import type { DiskPool } from '../pool.ts'
import type { Connection, VolumeSpec } from '../port.ts'

export const MiB = 1024 * 1024
export const accessSecret = randomBytes(32)
export const kms = makeFakeKms()
export const book = memoryBook()
export let folder: string
export let pool: DiskPool
let restarted = Promise.withResolvers<void>()

export async function startPool(processCount: number): Promise<void> {
  folder = await mkdtemp(join(tmpdir(), 'kw-'))
  pool = await startDiskPool({
    dataFolder: join(folder, 'data'),
    host: '127.0.0.1',
    tcpPort: 0,
    processCount,
    accessSecret,
    log: makeLog('silent'),
    clock: systemClock,
    random: systemRandom,
    kms,
    book,
    onRestart: () => restarted.resolve(),
  })
}

export async function stopPool(): Promise<void> {
  await pool.close()
  assert.deepEqual(await diskProcesses(), [])
  await rm(folder, { recursive: true, force: true })
}

/** Resident memory of all disk processes, now or at its highest since they started. */
export async function memoryBytes(line: 'VmRSS' | 'VmHWM'): Promise<number> {
  const statuses = await Promise.all((await diskProcesses()).map((pid) => readFile(`/proc/${pid}/status`, 'utf8')))
  const kib = statuses.map((status) => Number(new RegExp(`${line}:\\s*(\\d+)`).exec(status)?.[1]))
  return kib.reduce((sum, each) => sum + each * 1024, 0)
}

/** Fulfilled when the pool has replaced a process that ended after this call. */
export function nextRestart(): Promise<void> {
  restarted = Promise.withResolvers()
  return restarted.promise
}

let count = 0

/** A volume with an image and one attachment of the same name. */
export async function makeVolume(capacityBytes = 8 * MiB, isAuthenticated = false): Promise<VolumeSpec> {
  const volumeId = `r006-${(count += 1)}`
  const volumeCrn = `crn:v1:bluemix:public:is:us-south:a/${'b'.repeat(32)}::volume:${volumeId}`
  const as = { kind: 'service', serviceName: 'server-protect', accountId: 'b'.repeat(32) } as const
  const wrappedDataKey = kms.wrapNewKey(volumeCrn)
  const volume = { volumeId, volumeCrn, capacityBytes, keyCrn: 'crn:root-key', wrappedDataKey, as, isAuthenticated }
  await pool.port.createVolume(volume)
  await pool.port.addExport({ attachmentId: volumeId, volume })
  return volume
}

export interface Way extends Connection {
  /** The URI over TLS with its key file. */
  readonly tlsUri: string
  readonly socket: string
  readonly port: number
}

export async function connectTo(volume: VolumeSpec, lifetimeMs = 600_000): Promise<Way> {
  const connection = await pool.port.connect(volume.volumeId, volume.volumeId, lifetimeMs)
  const { pskIdentity, pskKey, uri, unixUri } = connection
  const tlsUri = `${uri}?tls-psk-file=${await keyFile(pskIdentity, pskKey)}`
  const socket = new URL(unixUri).searchParams.get('socket') ?? ''
  return { ...connection, tlsUri, socket, port: Number(/:(\d+)\//.exec(uri)?.[1]) }
}

export async function keyFile(identity: string, key: string): Promise<string> {
  const path = join(folder, `psk-${randomBytes(4).toString('hex')}`)
  await writeFile(path, `${identity}:${key}\n`, { mode: 0o600 })
  return path
}

export const imageOf = (volume: VolumeSpec): string => join(folder, 'data', 'volumes', volume.volumeId, 'volume.luks')

export async function passphraseFile(volume: VolumeSpec): Promise<string> {
  const path = join(folder, `passphrase-${volume.volumeId}`)
  await writeFile(path, kms.unwrap(volume.volumeCrn, volume.wrappedDataKey), { mode: 0o600 })
  return path
}

/** Detaches, so that the image is closed and other tools may have it. */
export async function closeImage(volume: VolumeSpec): Promise<void> {
  await pool.port.removeExport(volume.volumeId, volume.volumeId)
  assert.deepEqual(kms.leaseIds(volume.volumeCrn), [])
}

export async function diskProcesses(): Promise<number[]> {
  const children = await readFile(`/proc/${process.pid}/task/${process.pid}/children`, 'utf8')
  const pids = children.split(' ').filter(Boolean).map(Number)
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')))
  return pids.filter((_, index) => lines[index]?.includes('disk/process.ts'))
}
