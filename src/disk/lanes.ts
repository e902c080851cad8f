// The threads that serve connections, seen from the thread that accepts them and holds the leases. A connection that has
// been negotiated is handed over with its socket; what the lanes work with (key, file, right) stays here and is taken back
// when they have ended, or at once when the right ends.

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { BrokenAssertion, assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { inputBytes } from './lane.ts'
import { controlWord, controlWords, lanesMax } from './lane-port.ts'
import type { LaneJob, WireView } from './lane-port.ts'
import type { LaneSays } from './lane-worker.ts'
import type { VolumeUse } from './open-volume.ts'
import type { Terms } from './request-rules.ts'
import { socketCalls } from './socket-calls.ts'
import type { Loan } from './two-keys.ts'

/** A thread without work is kept for so long: starting one costs more than a client's whole handshake. */
const spareMs = 60_000

const coreCount = availableParallelism()

/** A negotiated connection that leaves node:net. */
export interface Handover {
  readonly wire: WireView
  /** What the client has sent already. */
  readonly received: Uint8Array
  readonly use: VolumeUse
  readonly terms: Terms
}

export interface LaneConnection {
  /** Nothing more comes or leaves, and nobody is inside the cipher, when this returns. */
  cut(): void
  /** Fulfilled when no lane touches anything of the connection any more; the socket still has to be closed. */
  readonly ended: Promise<void>
}

export class Lanes {
  readonly #threadsMax: number
  readonly #clock: Clock
  readonly #onBroken: (error: unknown) => void
  readonly #spare: LaneThread[] = []
  readonly #connections = new Set<LaneConnection>()
  #threadCount = 0
  /** Connections with more than one lane. */
  #wideCount = 0

  constructor(threadsMax: number, clock: Clock, onBroken: (error: unknown) => void) {
    this.#threadsMax = threadsMax
    this.#clock = clock
    this.#onBroken = onBroken
    // A thread that waits in the kernel does not see the end of the process.
    process.once('exit', () => this.cutAll())
  }

  /** Whether a connection to this volume can be handed over now. */
  canServe({ sharing }: VolumeUse): boolean {
    return socketCalls !== null && sharing !== null && (this.#spare.length > 0 || this.#threadCount < this.#threadsMax)
  }

  serve(handover: Handover): LaneConnection {
    const ended = Promise.withResolvers<void>()
    const lanes = new ConnectionLanes(handover, {
      findThread: () => this.#thread(),
      mayWiden: () => this.#wideCount < Math.max(1, Math.floor(coreCount / lanesMax)),
      onWidened: () => (this.#wideCount += 1),
      onEnded: (isWide) => {
        if (isWide) this.#wideCount -= 1
        ended.resolve()
      },
    })
    const connection: LaneConnection = { cut: () => lanes.cut(), ended: ended.promise }
    this.#connections.add(connection)
    void ended.promise.then(() => this.#connections.delete(connection))
    lanes.add()
    return connection
  }

  cutAll(): void {
    for (const connection of this.#connections) connection.cut()
  }

  /** For the end of the data plane, whose connections have ended. */
  close(): void {
    for (const thread of this.#spare.splice(0)) thread.end()
  }

  /** Null when there are enough of them. */
  #thread(): LaneThread | null {
    const spare = this.#spare.pop()
    if (spare) return spare
    if (this.#threadCount >= this.#threadsMax) return null
    this.#threadCount += 1
    return new LaneThread(
      (thread) => this.#rest(thread),
      (error) => this.#onBroken(error),
    )
  }

  #rest(thread: LaneThread): void {
    this.#spare.push(thread)
    const job = thread.jobCount
    this.#clock.after(spareMs, () => {
      const place = this.#spare.indexOf(thread)
      if (place < 0 || thread.jobCount !== job) return
      this.#spare.splice(place, 1)
      this.#threadCount -= 1
      thread.end()
    })
  }
}

/** What a connection has to do with the others. */
interface House {
  findThread(): LaneThread | null
  /** Second lanes are for idle cores: with as many busy connections as cores, they would only be in each other's way. */
  mayWiden(): boolean
  onWidened(): void
  onEnded(isWide: boolean): void
}

/** A connection and those who serve it. */
class ConnectionLanes {
  readonly #handover: Handover
  readonly #house: House
  readonly #control = new SharedArrayBuffer(controlWords * 4)
  readonly #words = new Int32Array(this.#control)
  readonly #input = new SharedArrayBuffer(inputBytes)
  #laneCount = 0
  #busyCount = 0
  /** The volume may be gone: nothing more is lent. */
  #isCut = false

  constructor(handover: Handover, house: House) {
    this.#handover = handover
    this.#house = house
    const { received } = handover
    assert(received.length <= inputBytes, 'what was read ahead is less than a lane reads ahead')
    new Uint8Array(this.#input).set(received)
    this.#words[controlWord.inputEnd] = received.length
  }

  /** One more lane, where there are threads for it. */
  add(): void {
    const { use, wire, terms } = this.#handover
    const { sharing } = use
    // A connection of OpenSSL is one thread's.
    if (!sharing || this.#laneCount === (wire.kind === 'tls' ? 1 : lanesMax)) return
    const thread = this.#house.findThread()
    if (!thread) {
      assert(this.#laneCount > 0, 'a connection is handed over where there is a thread for it')
      return
    }
    const lane = this.#laneCount
    this.#laneCount += 1
    this.#busyCount += 1
    Atomics.store(this.#words, controlWord.lanes, this.#laneCount)
    const loan = sharing.lend()
    thread.serve(
      { volume: sharing.view, wire, terms, control: this.#control, input: this.#input, lane, loan: loan.view },
      {
        widen: () => this.#widen(),
        done: () => this.#laneDone(loan),
      },
    )
  }

  cut(): void {
    this.#isCut = true
    assert(socketCalls, 'who has lanes has the calls of sockets')
    socketCalls.shutDown(this.#handover.wire.fd)
    for (let lane = 0; lane < this.#laneCount; lane += 1) {
      const word = controlWord.inCipher + lane
      // A few hundred microseconds at most: pieces of a request, not requests, go through the cipher.
      while (Atomics.load(this.#words, word) === 1) Atomics.wait(this.#words, word, 1, 1)
    }
  }

  #widen(): void {
    if (this.#isCut || this.#busyCount === 0 || !this.#house.mayWiden()) return
    const before = this.#laneCount
    this.add()
    if (this.#laneCount > before) this.#house.onWidened()
  }

  #laneDone(loan: Loan): void {
    loan.end()
    this.#busyCount -= 1
    if (this.#busyCount === 0) this.#house.onEnded(this.#laneCount > 1)
  }
}

interface Attendant {
  widen(): void
  done(): void
}

class LaneThread {
  readonly #worker: Worker
  #attendant: Attendant | null = null
  #jobCount = 0

  constructor(onRest: (thread: LaneThread) => void, onBroken: (error: unknown) => void) {
    // Buffers lie outside the heap of the thread, which holds little besides its program.
    const resourceLimits = { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 64 }
    this.#worker = new Worker(new URL('lane-worker.ts', import.meta.url), { resourceLimits })
    // Nobody knows what it held: the process is replaced.
    this.#worker.on('error', (cause) =>
      onBroken(new BrokenAssertion(`not so: the thread of a lane goes on: ${String(cause)}`)),
    )
    this.#worker.on('message', (said: LaneSays) => {
      switch (said.say) {
        case 'done': {
          const attendant = this.#attendant
          this.#attendant = null
          onRest(this)
          return attendant?.done()
        }
        case 'broken':
          return onBroken(said.isAssertion ? new BrokenAssertion(said.message) : new Error(said.message))
        case 'widen':
          return this.#attendant?.widen()
      }
    })
    // After the listeners, which would hold the process again.
    this.#worker.unref()
  }

  get jobCount(): number {
    return this.#jobCount
  }

  serve(job: LaneJob, attendant: Attendant): void {
    this.#jobCount += 1
    this.#attendant = attendant
    this.#worker.postMessage(job, [])
  }

  end(): void {
    void this.#worker.terminate()
  }
}
