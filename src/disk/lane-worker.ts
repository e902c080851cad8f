// The thread of a lane: it is given a connection, serves it to its end, says so, and waits for the next. It never sees a
// key: the cipher works with what the starting thread has lent it, and may be entered only while the right to serve lasts.

import { parentPort } from 'node:worker_threads'
import { BrokenAssertion, assert } from '#base/assert.ts'
import { systemClock } from '#base/clock.ts'
import type { SectorCipher } from '#crypto/sector-cipher.ts'
import { aligned } from './aligned.ts'
import { checked } from './checked.ts'
import { writerAtOnceOf } from './copy-stored.ts'
import { DeviceFault, Fenced } from './device.ts'
import { encrypted } from './encrypted.ts'
import { gated } from './gate.ts'
import { imageFile } from './image-file.ts'
import { Keeper } from './keeper.ts'
import { serveLane } from './lane.ts'
import type { Wire } from './lane-replies.ts'
import { controlWord } from './lane-port.ts'
import type { FileView, LaneJob, WireView } from './lane-port.ts'
import { Preservation } from './preservation.ts'
import { preservingClaims } from './preserving-claims.ts'
import { RangeLock } from './range-lock.ts'
import { machineMs, seenRight } from './right.ts'
import type { SeenRight } from './right.ts'
import { SharedCommit } from './shared-commit.ts'
import { socketCalls } from './socket-calls.ts'
import { linux } from './system.ts'
import { Throttle, throttled } from './throttle.ts'
import { tlsCalls } from './tls-calls.ts'
import { borrowedTwoKeys } from './two-keys.ts'

/** To the thread that started this one. */
export type LaneSays =
  /** Nothing of the connection is touched by this lane any more. */
  | { readonly say: 'done' }
  | { readonly say: 'broken'; readonly message: string; readonly isAssertion: boolean }
  /** There is work for one more lane. */
  | { readonly say: 'widen' }

const port = parentPort
assert(port, 'a lane is a thread of a disk process')

const say = (message: LaneSays): void => port.postMessage(message)

port.on('message', (job: LaneJob) => void serve(job))

async function serve(job: LaneJob): Promise<void> {
  try {
    await serveJob(job)
  } catch (error) {
    if (!(error instanceof Fenced)) {
      const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
      say({ say: 'broken', message, isAssertion: error instanceof BrokenAssertion })
    }
  }
  say({ say: 'done' })
}

async function serveJob({ volume, wire, terms, lane, loan, ...memories }: LaneJob): Promise<void> {
  assert(socketCalls, 'who has lanes has the calls of sockets')
  const control = new Int32Array(memories.control)
  const right = seenRight(volume.right)
  const { sectorBytes } = volume.file
  const cipher = guardedCipher(borrowedTwoKeys(loan, sectorBytes), { control, lane, right })
  const file = imageFile({ ...volume.file, system: linux, flush: flusher(volume.file) })
  const layers = checked(encrypted(checked(file, sectorBytes), cipher), sectorBytes)
  const preservation = new Preservation(file.sizeBytes, volume.preservationMemory)
  const keeper = new Keeper(file, preservation, writerAtOnceOf)
  const claims = preservingClaims(new RangeLock(volume.lockMemory), preservation, keeper)
  const blocks = gated(aligned(layers, sectorBytes, claims), right.mayServe)
  const sleep = (ms: number): Promise<void> => sleepUnderRight(ms, right)
  const device = throttled(blocks, new Throttle(volume.throttleMemory), { nowMs: machineMs, sleep })
  await serveLane({
    wire: wireOf(wire),
    device,
    right,
    terms,
    control,
    input: Buffer.from(memories.input),
    addressOf: socketCalls.addressOf,
    widen: () => say({ say: 'widen' }),
  })
  // What is under way in the thread pool still uses the file's descriptor.
  await file.close()
}

/** How long a request that waits for its turn takes to notice that there will be none. */
const napMs = 50

/** Ends early with the right; the gate below tells the rest. */
async function sleepUnderRight(ms: number, right: SeenRight): Promise<void> {
  for (let left = ms; left > 0 && right.mayServe(); left -= napMs) {
    await new Promise<void>((resolve) => void systemClock.after(Math.min(left, napMs), resolve))
  }
}

/** This thread waits for the disk: the requests of its connection that follow a flush do, the other lane aside. */
function flusher({ fd, commitMemory }: FileView): () => Promise<void> {
  const commits = new SharedCommit(commitMemory)
  const sync = (): boolean => linux?.sync(fd) ?? false
  return async () => {
    if (!commits.commitNow(sync)) throw new DeviceFault('EIO', 'the file system has lost a write')
  }
}

interface Guard {
  readonly control: Int32Array
  readonly lane: number
  readonly right: SeenRight
}

/**
 * Says when this thread is inside the cipher. Whoever ends the right and then finds nobody inside may free what was lent:
 * a thread that comes later sees that the right has ended before it touches anything.
 */
function guardedCipher(cipher: SectorCipher, { control, lane, right }: Guard): SectorCipher {
  const word = controlWord.inCipher + lane
  function inside(work: (data: Uint8Array, firstSector: number) => void) {
    return (data: Uint8Array, firstSector: number): void => {
      Atomics.store(control, word, 1)
      try {
        if (right.hasEnded()) throw new Fenced()
        work(data, firstSector)
      } finally {
        Atomics.store(control, word, 0)
        if (right.hasEnded()) Atomics.notify(control, word)
      }
    }
  }
  return { ...cipher, encrypt: inside(cipher.encrypt), decrypt: inside(cipher.decrypt) }
}

function wireOf(view: WireView): Wire {
  const calls = socketCalls
  assert(calls, 'who has lanes has the calls of sockets')
  const { fd } = view
  const hangUp = (): void => calls.shutDown(fd)
  if (view.kind === 'plain') {
    return {
      receive: (address, byteCountMax) => calls.receive(fd, address, byteCountMax),
      send: (address, byteCount) => calls.send(fd, address, byteCount),
      close: () => undefined,
      hangUp,
    }
  }
  const { ssl } = view
  assert(tlsCalls, 'who has a connection of OpenSSL has its calls')
  const { receive, send, shutDown } = tlsCalls
  return {
    receive: (address, byteCountMax) => receive(ssl, address, byteCountMax),
    send: (address, byteCount) => send(ssl, address, byteCount),
    close: () => shutDown(ssl),
    hangUp,
  }
}
