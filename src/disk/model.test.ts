// A volume against an array of bytes: random requests over several connections of every dialect, reconnection, growth,
// re-encryption, and kill -9 of the disk process in the middle of it all. What a seed does is repeatable, when its requests meet is not.
//
// KEYWARD_TEST_MODELS sets the number of seeds, KEYWARD_TEST_SEED runs one again.

import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { Fault } from '#base/fault.ts'
import { command, commandFlag } from './nbd-wire.ts'
import type { VolumeSpec } from './port.ts'
import { dialects, NbdPeer } from './testing/nbd-peer.ts'
import type { Ask } from './testing/nbd-peer.ts'
import { chanceOf, seedsOf } from './testing/seeded.ts'
import type { Chance } from './testing/seeded.ts'
import { connectTo, diskProcesses, kms, makeVolume, nextRestart, pool } from './testing/server-fixture.ts'
import { startPool, stopPool } from './testing/server-fixture.ts'

const seeds = seedsOf('KEYWARD_TEST_MODELS', 16)
const sectorBytes = 4096
const capacityBytes = 6 * 1024 * 1024
const lengths = [1, 511, 4096, 5000, 8192, 65_536, 70_001, 262_144, 300_001]
/** Of several of the chunks in which volumes are re-encrypted. */
const largeBytes = 18 * 1024 * 1024
/** Longer than what a lane holds at once. */
const longBytes = 5_000_001

before(() => startPool(1))
after(stopPool)

type Step = Ask & { readonly type: number; readonly offset: number; readonly byteCount: number }

class Story {
  readonly #chance: Chance
  #volume: VolumeSpec
  #model: Buffer
  #peers: NbdPeer[] = []
  /** What else a volume with tags may be after a crash: what it was when it was last flushed, and since. */
  #since: Buffer[] = []
  /** A process that dies again and again is started later and later: one crash in some stories. */
  #mayCrash: boolean
  /** Of some stories: it goes on through whatever else happens. */
  #reencryption: Promise<void> | null = null

  constructor(seed: number, volume: VolumeSpec) {
    this.#chance = chanceOf(seed)
    this.#mayCrash = seed % 4 === 0
    this.#volume = volume
    this.#model = Buffer.alloc(volume.capacityBytes)
    this.#flushed()
  }

  async run(): Promise<void> {
    await this.#connect()
    for (let left = 12; left > 0; left -= 1) {
      const event = this.#chance.below(12)
      if (event === 0) await this.#reconnect()
      else if (event === 1 && !this.#reencryption) await this.#grow()
      else if (event === 1 || (event === 2 && this.#isLarge)) this.#reencrypt()
      else if (event < 5 && this.#mayCrash) await this.#crash()
      else await this.#work()
    }
    await this.#compare()
    await this.#endReencryption()
    await this.#compare()
    for (const peer of this.#peers) peer.leave()
    await pool.port.removeExport(this.#volume.volumeId, this.#volume.volumeId)
    await pool.port.deleteVolume(this.#volume.volumeId)
  }

  async #connect(): Promise<void> {
    const { socket } = await connectTo(this.#volume)
    const count = 1 + this.#chance.below(4)
    this.#peers = []
    for (let index = 0; index < count; index += 1) {
      const wire = connect(socket)
      wire.on('error', () => undefined)
      this.#peers.push(await NbdPeer.meet(wire, this.#chance.pick(dialects)))
    }
  }

  async #reconnect(): Promise<void> {
    for (const peer of this.#peers) peer.leave()
    await Promise.all(this.#peers.map((peer) => peer.ended()))
    await this.#connect()
  }

  /** Clients see the new size when the volume has been opened anew. */
  async #grow(): Promise<void> {
    const { volumeId } = this.#volume
    this.#volume = { ...this.#volume, capacityBytes: this.#volume.capacityBytes + sectorBytes * this.#chance.below(20) }
    for (const peer of this.#peers) peer.leave()
    await Promise.all(this.#peers.map((peer) => peer.ended()))
    await pool.port.removeExport(volumeId, volumeId)
    await pool.port.addExport({ attachmentId: volumeId, volume: this.#volume })
    await this.#connect()
    this.#model = Buffer.concat([this.#model, Buffer.alloc(this.#volume.capacityBytes - this.#model.length)])
    // Closed when its export was removed, and flushed before.
    this.#flushed()
  }

  get #isLarge(): boolean {
    return this.#model.length >= largeBytes
  }

  /** A chunk in a quarter of a second, so that it meets some of the rest. */
  #reencrypt(): void {
    if (this.#reencryption) return
    const { keyCrn, volumeCrn } = this.#volume
    const newer = this.#volume.newer ?? { keyCrn, wrappedDataKey: kms.wrapNewKey(volumeCrn) }
    const volume = { ...this.#volume, newer }
    this.#volume = volume
    this.#reencryption = pool.port
      .addExport({ attachmentId: volume.volumeId, volume })
      .then(() => pool.port.reencryptVolume(volume, 16 * 1024 * 1024))
      // What a crash ends begins again.
      .catch((error: unknown) => assert.ok(error instanceof Fault, String(error)))
  }

  async #endReencryption(): Promise<void> {
    if (!this.#reencryption) return
    await this.#reencryption
    await pool.port.reencryptVolume(this.#volume, null)
    const { newer, ...volume } = this.#volume
    this.#volume = { ...volume, ...newer }
    await pool.port.addExport({ attachmentId: volume.volumeId, volume: this.#volume })
  }

  /** Steps on ranges that do not share a sector, so that their order does not matter. */
  #steps(): Step[] {
    const steps: Step[] = []
    const taken: { from: number; to: number }[] = []
    for (let left = 2 + this.#chance.below(14); left > 0; left -= 1) {
      const isLong = this.#chance.below(60) === 0
      const byteCount = isLong ? longBytes : this.#chance.pick(lengths)
      const offset = this.#chance.below(this.#model.length - byteCount)
      const isWhole = this.#chance.below(2) === 0
      const at = isWhole ? offset - (offset % sectorBytes) : offset
      const range = { from: Math.floor(at / sectorBytes), to: Math.ceil((at + byteCount) / sectorBytes) }
      if (taken.some(({ from, to }) => from < range.to && range.from < to)) continue
      taken.push(range)
      const { read, write, trim, writeZeroes } = command
      const type = this.#chance.pick([read, read, write, write, write, trim, writeZeroes])
      const flags = type !== read && this.#chance.below(5) === 0 ? commandFlag.fua : 0
      const data = type === write ? { data: this.#chance.bytes(byteCount) } : {}
      steps.push({ type, offset: at, byteCount, flags, ...data })
    }
    return steps
  }

  async #work(): Promise<void> {
    const steps = this.#steps()
    await this.#perform(steps)
    for (const step of steps) apply(step, this.#model)
    this.#remember()
    if (this.#chance.below(3) > 0) return
    const { error } = await this.#peer(0).do({ type: command.flush })
    assert.equal(error, null)
    this.#flushed()
  }

  #flushed(): void {
    this.#since = []
    this.#remember()
  }

  #remember(): void {
    if (this.#volume.isAuthenticated) this.#since.push(Buffer.from(this.#model))
  }

  /** Each peer does its share, all at once where replies say how long they are. */
  async #perform(steps: readonly Step[]): Promise<void> {
    const shares = this.#peers.map((_, index) => steps.filter((_step, at) => at % this.#peers.length === index))
    await Promise.all(this.#peers.map((peer, index) => this.#performAt(peer, shares[index] ?? [])))
  }

  async #performAt(peer: NbdPeer, steps: readonly Step[]): Promise<void> {
    if (peer.dialect === 'simple') {
      for (const step of steps) {
        const { error, data } = await peer.do(step)
        assert.equal(error, null)
        this.#judge(step, data)
      }
      return
    }
    const asked = new Map(steps.map((step) => [peer.ask(step), step]))
    while (asked.size > 0) {
      const { cookie, error, data } = await peer.hear()
      const step = asked.get(cookie)
      assert.ok(step && asked.delete(cookie))
      assert.equal(error, null)
      this.#judge(step, data.subarray(8))
    }
  }

  #judge({ type, offset, byteCount }: Step, data: Buffer): void {
    if (type !== command.read) return
    const expected = this.#model.subarray(offset, offset + byteCount)
    assert.ok(data.equals(expected), `${byteCount} bytes at ${offset} are others`)
  }

  /**
   * What was answered is there afterwards; of what was under way each sector is the old or the new one. With tags that holds
   * for what was flushed, and what was answered since was under way.
   */
  async #crash(): Promise<void> {
    this.#mayCrash = false
    const steps = this.#steps()
    const restarted = nextRestart()
    const answered = new Set<Step>()
    const work = this.#peers.map(async (peer, index) => {
      for (const step of steps.filter((_, at) => at % this.#peers.length === index)) {
        await peer.do(step)
        answered.add(step)
      }
    })
    const cut = Promise.allSettled(work)
    await sleep(this.#chance.below(12))
    for (const pid of await diskProcesses()) process.kill(pid, 'SIGKILL')
    await cut
    await restarted
    await pool.port.addExport({ attachmentId: this.#volume.volumeId, volume: this.#volume })
    const wasMoving = this.#reencryption !== null
    await this.#reencryption
    this.#reencryption = null
    if (wasMoving) this.#reencrypt()
    await this.#connect()
    for (const step of steps) if (answered.has(step)) apply(step, this.#model)
    const maybe = Buffer.from(this.#model)
    for (const step of steps) if (!answered.has(step)) apply(step, maybe)
    const found = await this.#readAll()
    for (let at = 0; at < found.length; at += sectorBytes) {
      const sector = found.subarray(at, at + sectorBytes)
      const may = [this.#model, maybe, ...this.#since]
      const is = may.some((state) => sector.equals(state.subarray(at, at + sectorBytes)))
      assert.ok(is, `sector ${at / sectorBytes} is another`)
    }
    this.#model = found
    this.#flushed()
  }

  async #compare(): Promise<void> {
    assert.ok((await this.#readAll()).equals(this.#model))
  }

  async #readAll(): Promise<Buffer> {
    const pieces: Buffer[] = []
    for (let at = 0; at < this.#model.length; at += longBytes) {
      pieces.push(Buffer.from(await this.#peer(0).read(at, Math.min(longBytes, this.#model.length - at))))
    }
    return Buffer.concat(pieces)
  }

  #peer(index: number): NbdPeer {
    const peer = this.#peers[index]
    assert.ok(peer)
    return peer
  }
}

/** What a step makes of the bytes of a volume. */
function apply({ type, offset, byteCount, data }: Step, bytes: Buffer): void {
  if (type === command.write && data) bytes.set(data, offset)
  if (type === command.writeZeroes) bytes.fill(0, offset, offset + byteCount)
  if (type !== command.trim) return
  const from = Math.ceil(offset / sectorBytes) * sectorBytes
  const to = Math.floor((offset + byteCount) / sectorBytes) * sectorBytes
  if (to > from) bytes.fill(0, from, to)
}

for (const isAuthenticated of [false, true]) {
  const what = isAuthenticated ? 'a volume with tags' : 'a volume'
  test(`${what} is an array of bytes in ${seeds.length} stories from seed ${seeds[0]} on`, async () => {
    for (const seed of seeds) {
      try {
        await new Story(
          seed,
          await makeVolume(seed % 3 === 1 && !isAuthenticated ? largeBytes : capacityBytes, isAuthenticated),
        ).run()
      } catch (cause) {
        throw new Error(`KEYWARD_TEST_SEED=${seed} node --test src/disk/model.test.ts`, { cause })
      }
    }
  })
}
