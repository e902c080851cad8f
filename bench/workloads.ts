// What clients do, and how much of it a server did in some seconds.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { imageBytes } from './servers.ts'
import type { Server } from './servers.ts'

export interface Workload {
  readonly name: string
  readonly title: string
  readonly blockBytes: number
  readonly unit: 'MB/s' | 'IOPS'
  /** What of the table's comparison it needs: peers on TLS are fewer. */
  readonly tls: boolean
  /** Requests done per second. */
  run(server: Server, seconds: number): Promise<number>
}

const KiB = 1024
const MiB = 1024 * KiB

interface Shape {
  readonly op: 'read' | 'write' | 'mixed'
  readonly order: 'seq' | 'random'
  readonly blockBytes: number
  readonly depth: number
  readonly connections?: number
  readonly flushEach?: boolean
}

const fioWorkload = (name: string, title: string, shape: Shape): Workload => ({
  name,
  title,
  blockBytes: shape.blockBytes,
  unit: shape.order === 'seq' ? 'MB/s' : 'IOPS',
  tls: false,
  run: (server, seconds) => runFio(server, shape, seconds),
})

/** fio knows no key files; bench/nbd-load.c does the same over libnbd. */
const tlsWorkload = (name: string, title: string, shape: Shape): Workload => ({
  name,
  title,
  blockBytes: shape.blockBytes,
  unit: shape.order === 'seq' ? 'MB/s' : 'IOPS',
  tls: true,
  run: (server, seconds) => runTls(server, shape, seconds),
})

const seq = (op: 'read' | 'write', blockBytes: number, depth: number): Shape => ({
  op,
  order: 'seq',
  blockBytes,
  depth,
})
const random = (op: Shape['op'], depth: number): Shape => ({ op, order: 'random', blockBytes: 4 * KiB, depth })

export const workloads: readonly Workload[] = [
  fioWorkload('sr1m', 'sequential read 1 MiB, depth 8', seq('read', MiB, 8)),
  fioWorkload('sw1m', 'sequential write 1 MiB, depth 8', seq('write', MiB, 8)),
  fioWorkload('sr64k', 'sequential read 64 KiB, depth 16', seq('read', 64 * KiB, 16)),
  fioWorkload('sw64k', 'sequential write 64 KiB, depth 16', seq('write', 64 * KiB, 16)),
  ...[1, 16, 64].flatMap((depth) => [
    fioWorkload(`rr4k-${depth}`, `random read 4 KiB, depth ${depth}`, random('read', depth)),
    fioWorkload(`rw4k-${depth}`, `random write 4 KiB, depth ${depth}`, random('write', depth)),
  ]),
  fioWorkload('mix4k-16', 'random 70 % read 4 KiB, depth 16', random('mixed', 16)),
  fioWorkload('flush4k', 'write 4 KiB and flush each, depth 1', { ...random('write', 1), flushEach: true }),
  fioWorkload('sr1m-c4', '4 connections, sequential read 1 MiB, depth 4', { ...seq('read', MiB, 4), connections: 4 }),
  fioWorkload('sw1m-c4', '4 connections, sequential write 1 MiB, depth 4', {
    ...seq('write', MiB, 4),
    connections: 4,
  }),
  fioWorkload('rr4k-c4', '4 connections, random read 4 KiB, depth 16', { ...random('read', 16), connections: 4 }),
  fioWorkload('rw4k-c4', '4 connections, random write 4 KiB, depth 16', { ...random('write', 16), connections: 4 }),
  tlsWorkload('tls-sr1m', 'TLS, sequential read 1 MiB, depth 8', seq('read', MiB, 8)),
  tlsWorkload('tls-sw1m', 'TLS, sequential write 1 MiB, depth 8', seq('write', MiB, 8)),
  tlsWorkload('tls-rr4k-1', 'TLS, random read 4 KiB, depth 1', random('read', 1)),
  tlsWorkload('tls-rr4k-16', 'TLS, random read 4 KiB, depth 16', random('read', 16)),
  tlsWorkload('tls-rw4k-16', 'TLS, random write 4 KiB, depth 16', random('write', 16)),
]

/** Before measuring begins: what comes after the first moments of a connection is compared. */
export const rampSeconds = 1

const fioNames = {
  seq: { read: 'read', write: 'write', mixed: 'rw' },
  random: { read: 'randread', write: 'randwrite', mixed: 'randrw' },
} as const

interface FioSide {
  readonly total_ios: number
  readonly iops: number
}

async function runFio(server: Server, shape: Shape, seconds: number): Promise<number> {
  const { op, order, blockBytes, depth, connections = 1, flushEach = false } = shape
  // What other workloads left dirty is not this one's to flush.
  if (flushEach) await outputOf('sync', [])
  const out = await outputOf('fio', [
    '--name=x',
    `--ramp_time=${rampSeconds}`,
    '--ioengine=nbd',
    `--uri=${server.uri}`,
    `--rw=${fioNames[order][op]}`,
    `--bs=${blockBytes}`,
    `--iodepth=${depth}`,
    `--numjobs=${connections}`,
    '--thread',
    '--group_reporting',
    '--time_based',
    `--runtime=${seconds}`,
    `--size=${imageBytes}`,
    '--randrepeat=0',
    '--norandommap',
    '--rwmixread=70',
    '--output-format=json',
    ...(flushEach ? ['--fsync=1'] : []),
  ])
  // fio may print a line before the JSON.
  const { jobs } = JSON.parse(out.slice(out.indexOf('{'))) as {
    jobs: { error: number; read: FioSide; write: FioSide }[]
  }
  const [job] = jobs
  if (!job || job.error !== 0) throw new Error(`fio reports an error of ${server.name}`)
  return job.read.iops + job.write.iops
}

async function runTls(server: Server, { op, order, blockBytes, depth }: Shape, seconds: number): Promise<number> {
  const out = await outputOf(tlsClient(), [
    server.tlsUri ?? '',
    op,
    order,
    String(blockBytes),
    String(depth),
    String(rampSeconds),
    String(seconds),
    String(imageBytes),
  ])
  const [requests = 0, elapsed = 1] = out.trim().split(' ').map(Number)
  return requests / elapsed
}

/** Writes something into every block, so that nobody reads holes. */
export async function fill(server: Server): Promise<void> {
  await outputOf('fio', [
    '--name=fill',
    '--ioengine=nbd',
    `--uri=${server.uri}`,
    '--rw=write',
    '--bs=1M',
    '--iodepth=4',
    `--size=${imageBytes}`,
    '--thread',
    '--refill_buffers',
  ])
}

let client: string | null = null

function tlsClient(): string {
  if (client !== null) return client
  client = `/tmp/keyward-nbd-load-${process.pid}`
  execFileSync('gcc', ['-O2', '-o', client, new URL('nbd-load.c', import.meta.url).pathname, '-lnbd'])
  return client
}

async function outputOf(tool: string, args: readonly string[]): Promise<string> {
  const child = spawn(tool, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: 120_000 })
  let out = ''
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${tool} ended with ${String(code)}`)
  return out
}
