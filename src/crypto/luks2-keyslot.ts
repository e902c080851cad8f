// What happens in a LUKS2 key slot: a passphrase becomes a slot key, the slot key covers an area, and the area holds
// the volume key in 4000 stripes. The stripes are there so that wiping any part of the area destroys the key, on media
// where single sectors may survive. Sources: "LUKS2 On-Disk Format Specification", sections 3 and 4; "LUKS1 On-Disk
// Format Specification", section 2.4 (anti-forensic splitter).

import { argon2Sync, hash, pbkdf2Sync, timingSafeEqual } from 'node:crypto'
import { luks2Argon2WorkKibMax, luks2PbkdfIterationsMax } from '#base/limits-luks2.ts'
import type { Random } from '#base/random.ts'
import { luks2Fault } from './luks2-binary-header.ts'
import { areaBytes, stripedKeyBytes, stripes } from './luks2-metadata.ts'
import type { Luks2Digest, Luks2Hash, Luks2Kdf, Luks2Keyslot } from './luks2-metadata.ts'
import { SecretBytes } from './secret-bytes.ts'
import { makeSectorCipher } from './sector-cipher.ts'
import { volumeKeyBytes } from './xts-engine.ts'

/** How much work one image may still ask for. All slots and digests draw on it, so that many cost no more than one. */
export class WorkBudget {
  #iterations = luks2PbkdfIterationsMax
  #argon2Kib = luks2Argon2WorkKibMax

  spendIterations(count: number): void {
    this.#iterations -= count
    if (this.#iterations < 0) throw luks2Fault('asks for more work than is spent on one image')
  }

  spendArgon2(kib: number): void {
    this.#argon2Kib -= kib
    if (this.#argon2Kib < 0) throw luks2Fault('asks for more work than is spent on one image')
  }
}

/** The area of a slot that gives `volumeKey` to whoever has the slot key's passphrase. */
export function sealKeyslot(options: {
  readonly passphrase: SecretBytes
  readonly volumeKey: SecretBytes
  readonly kdf: Luks2Kdf
  readonly random: Random
}): Uint8Array {
  using slotKey = deriveSlotKey(options.passphrase, options.kdf)
  const area = new Uint8Array(areaBytes)
  const striped = area.subarray(0, stripedKeyBytes)
  splitKey(options.volumeKey, striped, options.random)
  using cipher = makeSectorCipher(slotKey, areaSectorBytes)
  cipher.encrypt(striped, 0)
  return area
}

/** What the passphrase makes of the slot: the volume key, or noise under another passphrase. Owned by the caller. */
export function openKeyslot(
  image: Uint8Array,
  passphrase: SecretBytes,
  slot: Luks2Keyslot,
  budget: WorkBudget,
): SecretBytes {
  if (slot.kdf.by === 'pbkdf2') budget.spendIterations(slot.kdf.iterations)
  else budget.spendArgon2(slot.kdf.memoryKib * slot.kdf.passes)
  using slotKey = deriveSlotKey(passphrase, slot.kdf)
  return openArea(image, slotKey, slot)
}

/** The same from the key that the passphrase was stretched to. */
export function openArea(
  image: Uint8Array,
  slotKey: SecretBytes,
  slot: Pick<Luks2Keyslot, 'areaOffsetBytes' | 'stripeHash'>,
): SecretBytes {
  using striped = SecretBytes.copyOf(image.subarray(slot.areaOffsetBytes, slot.areaOffsetBytes + stripedKeyBytes))
  using cipher = makeSectorCipher(slotKey, areaSectorBytes)
  return striped.use((bytes) => {
    cipher.decrypt(bytes, 0)
    return mergeKey(bytes, slot.stripeHash)
  })
}

export function isVolumeKey(candidate: SecretBytes, digest: Luks2Digest, budget: WorkBudget): boolean {
  budget.spendIterations(digest.iterations)
  return timingSafeEqual(digestOf(candidate, { ...digest, byteCount: digest.digest.length }), digest.digest)
}

export const digestOf = (
  volumeKey: SecretBytes,
  by: { hash: Luks2Hash; iterations: number; salt: Uint8Array; byteCount: number },
): Uint8Array => volumeKey.use((key) => pbkdf2Sync(key, by.salt, by.iterations, by.byteCount, by.hash))

const areaSectorBytes = 512

function deriveSlotKey(passphrase: SecretBytes, kdf: Luks2Kdf): SecretBytes {
  return passphrase.use((message) => {
    if (kdf.by === 'pbkdf2') {
      return SecretBytes.own(pbkdf2Sync(message, kdf.salt, kdf.iterations, volumeKeyBytes, kdf.hash))
    }
    const { passes, memoryKib: memory, lanes: parallelism, salt: nonce } = kdf
    const parameters = { message, nonce, parallelism, memory, passes, tagLength: volumeKeyBytes }
    return SecretBytes.own(argon2Sync(kdf.by, parameters))
  })
}

/** All stripes but the last are chance; the last is the key covered by what all the others come to. */
function splitKey(volumeKey: SecretBytes, striped: Uint8Array, random: Random): void {
  const chance = random.bytes(stripedKeyBytes - volumeKeyBytes)
  striped.set(chance)
  chance.fill(0)
  using cover = coverOf(striped, 'sha256')
  const last = striped.subarray(stripedKeyBytes - volumeKeyBytes)
  volumeKey.use((key) => last.set(key))
  cover.use((bytes) => xorInto(last, bytes))
}

function mergeKey(striped: Uint8Array, stripeHash: Luks2Hash): SecretBytes {
  const key = coverOf(striped, stripeHash)
  key.use((bytes) => xorInto(bytes, striped.subarray(stripedKeyBytes - volumeKeyBytes)))
  return key
}

function coverOf(striped: Uint8Array, stripeHash: Luks2Hash): SecretBytes {
  const cover = SecretBytes.copyOf(new Uint8Array(volumeKeyBytes))
  cover.use((bytes) => {
    for (let stripe = 0; stripe < stripes - 1; stripe += 1) {
      xorInto(bytes, striped.subarray(stripe * volumeKeyBytes, (stripe + 1) * volumeKeyBytes))
      diffuse(bytes, stripeHash)
    }
  })
  return cover
}

/** Each piece of a digest's length becomes the hash of its number and itself, the last one cut to what is left. */
function diffuse(block: Uint8Array, name: Luks2Hash): void {
  const pieceBytes = digestBytes[name]
  const input = Buffer.alloc(4 + pieceBytes)
  for (let i = 0; i * pieceBytes < block.length; i += 1) {
    const piece = block.subarray(i * pieceBytes, (i + 1) * pieceBytes)
    input.writeUInt32BE(i)
    input.set(piece, 4)
    const digest = hash(name, input.subarray(0, 4 + piece.length), 'buffer')
    piece.set(digest.subarray(0, piece.length))
    digest.fill(0)
  }
  input.fill(0)
}

const digestBytes = { sha256: 32, sha384: 48, sha512: 64 } as const satisfies Record<Luks2Hash, number>

function xorInto(target: Uint8Array, source: Uint8Array): void {
  for (const [i, byte] of source.entries()) target[i] = (target[i] ?? 0) ^ byte
}
