// The cipher of an open volume, which has one key, or two while the volume is re-encrypted: each sector is under the one
// that the watermark says. Other threads are lent both.

import { assert } from '#base/assert.ts'
import type { XtsLoan } from '#crypto/evp-xts.ts'
import { borrowedCipher } from '#crypto/sector-cipher.ts'
import type { LendingCipher, SectorCipher } from '#crypto/sector-cipher.ts'
import { otherSide, Watermark } from './watermark.ts'
import type { Side } from './watermark.ts'

/** What one thread has been lent. Plain data: it crosses between threads. */
export interface LoanView {
  readonly loan: SharedArrayBuffer
  readonly watermark: SharedArrayBuffer
}

export interface Loan {
  readonly view: LoanView
  /** The thread does not use it any more. */
  end(): void
}

/** Of each side, the addresses of the contexts that encrypt and decrypt. */
const loanWords = 4

export class TwoKeyCipher implements SectorCipher {
  readonly sectorBytes: number
  readonly encrypt: SectorCipher['encrypt']
  readonly decrypt: SectorCipher['decrypt']
  readonly watermark = new Watermark()
  readonly #ciphers: [LendingCipher | null, LendingCipher | null]
  readonly #loans = new Set<ThreadLoan>()

  /** Owns the cipher, and those that follow. */
  constructor(cipher: LendingCipher) {
    this.sectorBytes = cipher.sectorBytes
    this.#ciphers = [cipher, null]
    const sided = sidedCipher(cipher.sectorBytes, this.watermark, (side) => this.#cipher(side))
    this.encrypt = sided.encrypt
    this.decrypt = sided.decrypt
  }

  /** Whether other threads may work with it. */
  get isLendable(): boolean {
    return this.#cipher(this.watermark.older).lending !== null
  }

  lend(): Loan {
    const loan = new ThreadLoan()
    this.#loans.add(loan)
    for (const side of [0, 1] as const) loan.take(side, this.#ciphers[side])
    return {
      view: { loan: loan.memory, watermark: this.watermark.memory },
      end: () => {
        this.#loans.delete(loan)
        loan.end()
      },
    }
  }

  get hasNewer(): boolean {
    return this.#ciphers[otherSide(this.watermark.older)] !== null
  }

  /** A second key, under which there is nothing yet but what is before `watermarkBytes`. */
  take(newer: LendingCipher, watermarkBytes: number): void {
    assert(!this.hasNewer, 'a volume is between two keys, not three')
    const side = otherSide(this.watermark.older)
    this.#ciphers[side] = newer
    for (const loan of this.#loans) loan.take(side, newer)
    this.watermark.moveTo(watermarkBytes)
    this.watermark.arrive()
  }

  /** From the older key to the newer, in place. The caller has the claim on the sectors. */
  move(data: Uint8Array, firstSector: number): void {
    const { older } = this.watermark
    this.#cipher(older).decrypt(data, firstSector)
    this.#cipher(otherSide(older)).encrypt(data, firstSector)
  }

  /** The older key goes. The caller has a claim on everything, so that nobody is using it. */
  drop(): void {
    const { older } = this.watermark
    assert(this.hasNewer, 'a volume keeps one key')
    this.watermark.change()
    for (const loan of this.#loans) loan.endOf(older)
    this.#ciphers[older]?.[Symbol.dispose]()
    this.#ciphers[older] = null
  }

  [Symbol.dispose](): void {
    for (const cipher of this.#ciphers) cipher?.[Symbol.dispose]()
  }

  #cipher(side: Side): LendingCipher {
    const cipher = this.#ciphers[side]
    assert(cipher !== null, 'a sector is under a key that is there')
    return cipher
  }
}

/** What a thread has been lent of both sides. */
class ThreadLoan {
  readonly memory = new SharedArrayBuffer(loanWords * 8)
  readonly #addresses = new BigUint64Array(this.memory)
  readonly #ends: [() => void, () => void] = [() => undefined, () => undefined]

  take(side: Side, cipher: LendingCipher | null): void {
    if (!cipher) return
    const { lending } = cipher
    assert(lending, 'all keys of a volume can be lent, or none')
    const loan = lending.lend()
    this.#addresses[2 * side] = loan.encrypt
    this.#addresses[2 * side + 1] = loan.decrypt
    this.#ends[side] = () => lending.endLoan(loan)
  }

  endOf(side: Side): void {
    this.#ends[side]()
    this.#ends[side] = () => undefined
  }

  end(): void {
    this.endOf(0)
    this.endOf(1)
  }
}

/** The cipher of a thread that works with what another one has lent it. It ends with the loan. */
export function borrowedTwoKeys({ loan, watermark: memory }: LoanView, sectorBytes: number): SectorCipher {
  const addresses = new BigUint64Array(loan)
  const watermark = new Watermark(memory)
  let arrivals = -1
  let ciphers: readonly [SectorCipher, SectorCipher]
  const loanOf = (side: Side): XtsLoan => ({
    encrypt: addresses[2 * side] ?? 0n,
    decrypt: addresses[2 * side + 1] ?? 0n,
  })
  return sidedCipher(sectorBytes, watermark, (side) => {
    if (watermark.arrivals !== arrivals) {
      arrivals = watermark.arrivals
      ciphers = [borrowedCipher(loanOf(0), sectorBytes), borrowedCipher(loanOf(1), sectorBytes)]
    }
    return ciphers[side]
  })
}

function sidedCipher(sectorBytes: number, watermark: Watermark, cipherOf: (side: Side) => SectorCipher): SectorCipher {
  const through =
    (direction: 'encrypt' | 'decrypt') =>
    (data: Uint8Array, firstSector: number): void => {
      const { older, bytes } = watermark
      // Nearly always there is one key, or all of it is on one side.
      const passed = bytes - firstSector * sectorBytes
      if (passed <= 0) return cipherOf(older)[direction](data, firstSector)
      const newer = cipherOf(otherSide(older))
      if (passed >= data.length) return newer[direction](data, firstSector)
      newer[direction](data.subarray(0, passed), firstSector)
      cipherOf(older)[direction](data.subarray(passed), firstSector + passed / sectorBytes)
    }
  return {
    sectorBytes,
    encrypt: through('encrypt'),
    decrypt: through('decrypt'),
    [Symbol.dispose]: () => undefined,
  }
}
