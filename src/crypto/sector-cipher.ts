// AES-256-XTS over whole sectors, in place, as dm-crypt's `aes-xts-plain64` does it: each sector has its own tweak, the
// sector's number as 64 bits, little-endian, counted in units of 512 bytes whatever the sector size is
// (docs/formats.md, "Volume image"). Two engines give the same bytes; the fast one is taken where it is there and has
// just been seen to agree with the other.

import { timingSafeEqual } from 'node:crypto'
import { assert, BrokenAssertion } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { borrowedXts, evpXts } from './evp-xts.ts'
import type { EvpXts, XtsLoan } from './evp-xts.ts'
import { SecretBytes } from './secret-bytes.ts'
import { portableXts, tweakUnitBytes, volumeKeyBytes } from './xts-engine.ts'
import type { Direction, XtsEngine } from './xts-engine.ts'

export interface SectorCipher {
  readonly sectorBytes: number
  /** In place. `data` is whole sectors; `firstSector` counts sectors of `sectorBytes` from where the data begin. */
  encrypt(data: Uint8Array, firstSector: number): void
  decrypt(data: Uint8Array, firstSector: number): void
  /** Wipes the cipher's copy of the key and everything lent. The cipher is not used after this. */
  [Symbol.dispose](): void
}

/** A cipher that other threads may work with. */
export interface LendingCipher extends SectorCipher {
  /** Null on the portable path: its key does not leave this thread. */
  readonly lending: Lending | null
}

/** Who lends sees to it that no other thread uses what was lent when it ends. */
export interface Lending {
  lend(): XtsLoan
  endLoan(loan: XtsLoan): void
}

export type CipherPath = 'auto' | 'portable' | 'ffi'

/**
 * The cipher copies the volume key; the caller still owns `volumeKey`. 'auto' takes the fast path where this process
 * has it and it agrees with the portable one; 'ffi' is a Fault ('unavailable') where it does not.
 */
export function makeSectorCipher(
  volumeKey: SecretBytes,
  sectorBytes: number,
  path: CipherPath = 'auto',
): LendingCipher {
  assert(volumeKey.byteCount === volumeKeyBytes, 'a volume key for AES-256-XTS has 64 bytes')
  assert(sectorBytes === 512 || sectorBytes === 4096, 'a sector has 512 or 4096 bytes')
  // OpenSSL does not encrypt under such a key (FIPS 140-2, implementation guidance A.9), so no path takes one.
  if (volumeKey.use((key) => timingSafeEqual(key.subarray(0, 32), key.subarray(32)))) {
    throw new Fault('unprocessable', 'volume key cannot be used: its two halves are equal')
  }

  const engine: EvpXts | null = path === 'portable' || !evpAgrees() ? null : evpXts(volumeKey)
  if (engine === null && path === 'ffi')
    throw new Fault('unavailable', 'node:ffi does not reach OpenSSL in this process')
  return { ...overEngine(engine ?? portableXts(volumeKey), sectorBytes), lending: engine }
}

/** The cipher of a thread that works with what another one has lent it. It ends with the loan. */
export const borrowedCipher = (loan: XtsLoan, sectorBytes: number): SectorCipher =>
  overEngine(borrowedXts(loan), sectorBytes)

function overEngine(engine: XtsEngine, sectorBytes: number): SectorCipher {
  const apply = (direction: Direction, data: Uint8Array, firstSector: number): void => {
    assert(data.length % sectorBytes === 0, 'a cipher works on whole sectors')
    assert(Number.isSafeInteger(firstSector) && firstSector >= 0, 'a sector number is a whole number')
    engine.apply(direction, data, sectorBytes, BigInt(firstSector) * BigInt(sectorBytes / tweakUnitBytes))
  }
  return {
    sectorBytes,
    encrypt: (data, firstSector) => apply('encrypt', data, firstSector),
    decrypt: (data, firstSector) => apply('decrypt', data, firstSector),
    [Symbol.dispose]: () => engine[Symbol.dispose](),
  }
}

let agreement: boolean | undefined

/** The self test, once per thread: both engines on the same sectors, with a tweak that carries into its upper half. */
function evpAgrees(): boolean {
  try {
    agreement ??= compareEngines()
  } catch (error) {
    // An OpenSSL that answers a call in another way than the engine asserts does not agree either.
    if (!(error instanceof BrokenAssertion)) throw error
    agreement = false
  }
  return agreement
}

function compareEngines(): boolean {
  using key = SecretBytes.own(Uint8Array.from({ length: volumeKeyBytes }, (_, i) => i + 1))
  using portable = portableXts(key)
  using evp = evpXts(key)
  if (evp === null) return false
  return [512, 4096].every((unitBytes) => {
    const plain = Uint8Array.from({ length: 3 * unitBytes }, (_, i) => i % 251)
    const [ours, theirs] = [plain.slice(), plain.slice()]
    portable.apply('encrypt', ours, unitBytes, 0xffff_fffcn)
    evp.apply('encrypt', theirs, unitBytes, 0xffff_fffcn)
    const sealedAlike = Buffer.compare(ours, theirs) === 0
    evp.apply('decrypt', theirs, unitBytes, 0xffff_fffcn)
    return sealedAlike && Buffer.compare(plain, theirs) === 0
  })
}
