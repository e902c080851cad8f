// One disk process, from its fork to its exit, in the hands of its parent.

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { getCompileCacheDir } from 'node:module'
import { connectPorts } from '#base/channel.ts'
import type { Pipe } from '#base/channel.ts'
import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import type { LeaseHolder } from '#kms/port.ts'
import { bounded, fenceOrKill, watch } from './deadline.ts'
import type { PoolPort, Watched } from './deadline.ts'
import type { LeaseKms } from './leases.ts'
import type { MomentsPort } from './moments.ts'
import type { DiskProcessPort, Hello, ProcessSettings } from './process-port.ts'
import type { IntegrityBook } from './port.ts'

export interface WorkerOptions {
  readonly settings: ProcessSettings
  readonly kms: LeaseKms
  readonly moments: MomentsPort
  readonly book: IntegrityBook
  readonly clock: Clock
  readonly log: Log
}

export interface Worker {
  readonly port: PoolPort
  readonly holder: LeaseHolder
  readonly hello: Hello
  readonly processId: number
  readonly ended: Promise<void>
  /** Lets it flush and end; kills it when it does not. */
  close(): Promise<void>
}

/** Above what the process itself allows its shutdown. */
const closeMsMax = 12_000

/** The only settings that the process has in its environment; nothing of ours is passed on. */
const environment = {
  // Large buffers stay mapped instead of being faulted in anew for each request.
  GLIBC_TUNABLES:
    'glibc.malloc.mmap_threshold=1073741824:glibc.malloc.trim_threshold=4294967296:glibc.malloc.top_pad=67108864',
  // Cold reads wait for their disks here, fdatasync too; the default of 4 would let one slow disk hold up all volumes.
  UV_THREADPOOL_SIZE: '16',
}

/** Fulfilled when clients can come; rejects when it could not start, and then it has ended. */
export async function startWorker({ settings, kms, moments, book, clock, log }: WorkerOptions): Promise<Worker> {
  const child = fork(new URL('process.ts', import.meta.url), {
    serialization: 'advanced',
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    env: { ...environment, NODE_COMPILE_CACHE: getCompileCacheDir() },
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  child.on('error', (err) => log.error({ err }, 'disk process could not be reached'))
  const leases = new Set<string>()
  child.send(settings, () => undefined)
  const offered = { ...parentPort(kms, moments, leases), ...bookkeeping(book) }
  const remote = connectPorts<DiskProcessPort>(pipeTo(child), offered, (err) =>
    log.error({ err }, 'a call from a disk process broke'),
  )
  void ended.then(() => giveBack(settings.holderId, { leases, kms, log }))

  let hello: Hello
  try {
    hello = await remote.hello()
  } catch (error) {
    child.kill('SIGKILL')
    await ended
    throw error
  }
  const { holderId, publicKey } = hello
  const watched: Watched = { remote, ended, clock, log, kill: () => void child.kill('SIGKILL') }
  const unwatch = watch(watched)
  return {
    port: bounded(watched),
    holder: { holderId, publicKey, fence: (leaseIds) => fenceOrKill(watched, leaseIds) },
    hello,
    processId: child.pid ?? 0,
    ended,
    close() {
      unwatch()
      return closeChild(child, ended)
    },
  }
}

function pipeTo(child: ChildProcess): Pipe {
  return {
    send: (message) => void child.send(Object(message), () => undefined),
    onMessage: (listener) => void child.on('message', listener),
    onClose: (listener) => void child.once('disconnect', listener),
  }
}

/** The key manager as the process sees it, and the moments. Remembers its leases. */
function parentPort(kms: LeaseKms, moments: MomentsPort, leases: Set<string>): LeaseKms & MomentsPort {
  return {
    arriveAt: (momentId, stage) => moments.arriveAt(momentId, stage),
    async leaseDataKey(holderId, request) {
      const leased = await kms.leaseDataKey(holderId, request)
      leases.add(leased.leaseId)
      return leased
    },
    renewLeases: (holderId, leaseIds) => kms.renewLeases(holderId, leaseIds),
    async releaseLeases(holderId, leaseIds) {
      await kms.releaseLeases(holderId, leaseIds)
      for (const leaseId of leaseIds) leases.delete(leaseId)
    },
  }
}

/** Methods by name, whatever the book is made of. */
const bookkeeping = (book: IntegrityBook): IntegrityBook => ({
  remembered: (volumeId) => book.remembered(volumeId),
  remember: (volumeId, state) => book.remember(volumeId, state),
  noteBad: (volumeId, bad) => book.noteBad(volumeId, bad),
})

interface Remains {
  readonly leases: ReadonlySet<string>
  readonly kms: LeaseKms
  readonly log: Log
}

/** A process that has ended uses no key: nobody needs to wait for its leases to run out. */
async function giveBack(holderId: string, { leases, kms, log }: Remains): Promise<void> {
  if (leases.size === 0) return
  try {
    await kms.releaseLeases(holderId, [...leases])
  } catch (err) {
    log.warn({ err, holderId }, 'leases of an ended process could not be given back')
  }
}

async function closeChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), closeMsMax)
  await ended
  clearTimeout(timer)
}
