// LUKS2 images: formatted for our volumes, opened from ours and from cryptsetup's. A volume's data key is the
// passphrase of its only key slot; the volume key that encrypts the sectors is drawn once, when the image is
// formatted, and is found nowhere but in that slot. What our images look like is docs/formats.md, "Volume image".

import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import { sectorBytes } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import { decodeLuks2Header, encodeLuks2Header, luks2Fault } from './luks2-binary-header.ts'
import { digestOf, isVolumeKey, openKeyslot, sealKeyslot, WorkBudget } from './luks2-keyslot.ts'
import { parseLuks2Metadata, printLuks2Metadata } from './luks2-metadata.ts'
import type { SecretBytes } from './secret-bytes.ts'
import { volumeKeyBytes } from './xts-engine.ts'

/** Where the data segment of our images begins: where cryptsetup puts it too. */
export const luks2DataOffsetBytes = 16 * 1024 * 1024

/** As much of an image as can hold headers and key slots; less will do when the image is shorter. */
export const luks2HeaderReadBytes = luks2DataOffsetBytes

export interface Luks2Prototype {
  /** The data key: 256 random bits. The caller still owns it. */
  readonly passphrase: SecretBytes
  /** 64 bytes for AES-256-XTS. The caller still owns it. */
  readonly volumeKey: SecretBytes
  readonly uuid: string
  readonly label?: string
  readonly random: Random
  /** Written as they are, each assigned to the key slot unless it says otherwise. No secrets: anybody can read them. */
  readonly tokens?: readonly object[]
}

export interface OpenedLuks2 {
  /** Owned by the caller, who disposes of it. */
  readonly volumeKey: SecretBytes
  readonly dataOffsetBytes: number
  readonly sectorBytes: number
  readonly uuid: string
}

/** The bytes to write at offset 0: both headers and the key slot area. What follows up to the data stays untouched. */
export function formatLuks2(prototype: Luks2Prototype): Uint8Array {
  const { passphrase, volumeKey, uuid, label = '', random, tokens = [] } = prototype
  assert(volumeKey.byteCount === volumeKeyBytes, 'a volume key for AES-256-XTS has 64 bytes')
  assert(passphrase.byteCount >= passphraseBytesMin, 'the passphrase of an image of ours has 256 random bits')
  assert(isUuid(uuid), 'an image is named by a UUID')
  for (const token of tokens) {
    assert('type' in token && typeof token.type === 'string', 'a LUKS2 token has a type')
    assert(!token.type.startsWith('luks2-'), 'token types that begin with luks2- belong to cryptsetup')
  }

  const [kdfSalt, digestSalt] = [random.bytes(saltBytes), random.bytes(saltBytes)]
  const area = sealKeyslot({
    passphrase,
    volumeKey,
    kdf: { by: 'pbkdf2', hash: 'sha256', iterations, salt: kdfSalt },
    random,
  })
  const digest = digestOf(volumeKey, { hash: 'sha256', iterations, salt: digestSalt, byteCount: 32 })
  const sizes = { headerBytes, dataOffsetBytes: luks2DataOffsetBytes, sectorBytes }
  const json = printLuks2Metadata({ ...sizes, iterations, kdfSalt, digestSalt, digest, tokens })
  const headers = encodeLuks2Header({ sequenceId: 1n, uuid, label, headerBytes, json }, [
    random.bytes(headerSaltBytes),
    random.bytes(headerSaltBytes),
  ])

  const image = new Uint8Array(headers.length + area.length)
  image.set(headers)
  image.set(area, headers.length)
  return image
}

/**
 * `image` is its first `luks2HeaderReadBytes`. Faults ('unprocessable'): the header is not one we open, with what is
 * wrong; or no key slot opens with the passphrase, in one sentence.
 */
export function openLuks2(image: Uint8Array, passphrase: SecretBytes): OpenedLuks2 {
  const header = decodeLuks2Header(image)
  const { keyslots, dataOffsetBytes, ...rest } = parseLuks2Metadata(header, image.length)
  if (keyslots.length === 0) throw luks2Fault('has no key slot of a kind that is supported')

  const budget = new WorkBudget()
  for (const { keyslot, digest } of keyslots) {
    const candidate = openKeyslot(image, passphrase, keyslot, budget)
    if (isVolumeKey(candidate, digest, budget)) {
      return { volumeKey: candidate, dataOffsetBytes, sectorBytes: rest.sectorBytes, uuid: header.uuid }
    }
    candidate[Symbol.dispose]()
  }
  throw new Fault('unprocessable', 'passphrase does not open the LUKS2 image')
}

/**
 * Iterations slow down guessing, and nobody guesses 256 random bits. This is the least that cryptsetup writes, and
 * keeps the opening of a volume short.
 */
const iterations = 1000
const passphraseBytesMin = 32
const headerBytes = 16 * 1024
const saltBytes = 32
const headerSaltBytes = 64
