// LUKS version 1, as QEMU has it inside an encrypted qcow2: images of volumes are LUKS2 (luks2.ts), and this is only how a
// disk comes here and goes. A header of 592 bytes with eight key slots, and the areas of the slots behind it. Nothing of
// another cipher than AES-256-XTS is opened. What is read was written by a stranger. Source: "LUKS1 On-Disk Format
// Specification", version 1.2.3.

import { pbkdf2 } from 'node:crypto'
import { promisify } from 'node:util'
import { Fault } from '#base/fault.ts'
import { luks1PbkdfIterationsMax, passphraseBytesMax } from '#base/limits-luks2.ts'
import type { Random } from '#base/random.ts'
import { digestOf, openArea, sealKeyslot } from './luks2-keyslot.ts'
import { stripedKeyBytes, stripes } from './luks2-metadata.ts'
import type { Luks2Hash } from './luks2-metadata.ts'
import { SecretBytes } from './secret-bytes.ts'
import { volumeKeyBytes } from './xts-engine.ts'

const derive = promisify(pbkdf2)

const magic = Buffer.from('4c554b53babe', 'hex')
const version = 1
const headerBytes = 592
const sectorBytes = 512
const slotsAt = 208
const slotBytes = 48
const slotCount = 8
const inUse = 0x00ac71f3
const unused = 0x0000dead
const saltBytes = 32
const digestBytes = 20
/** Areas begin at multiples of it. */
const alignBytes = 4096
const areaStepBytes = Math.ceil(stripedKeyBytes / alignBytes) * alignBytes

/** Of what `formatLuks1` gives, and as much as is read of one by others: header and all areas. */
export const luks1Bytes = alignBytes + slotCount * areaStepBytes
/** cryptsetup aligns areas to as much as a megabyte. */
export const luks1BytesMax = 16 * 1024 * 1024

export const luks1Fault = (what: string): Fault => new Fault('unprocessable', `LUKS1 header ${what}`)

/** The passphrase is a text, since QEMU and cryptsetup take it for one. */
export interface Luks1Prototype {
  /** Stays the caller's. It is chance of 32 bytes or more, as a text: stretching it would gain nothing. */
  readonly passphrase: SecretBytes
  /** Stays the caller's. */
  readonly volumeKey: SecretBytes
  readonly uuid: string
  readonly random: Random
}

/** The least that QEMU takes. */
const iterations = 1000

export function formatLuks1({ passphrase, volumeKey, uuid, random }: Luks1Prototype): Uint8Array {
  const image = Buffer.alloc(luks1Bytes)
  const salt = random.bytes(saltBytes)
  const digestSalt = random.bytes(saltBytes)
  magic.copy(image)
  image.writeUInt16BE(version, 6)
  image.write('aes', 8)
  image.write('xts-plain64', 40)
  image.write('sha256', 72)
  image.writeUInt32BE(luks1Bytes / sectorBytes, 104)
  image.writeUInt32BE(volumeKeyBytes, 108)
  image.set(digestOf(volumeKey, { hash: 'sha256', iterations, salt: digestSalt, byteCount: digestBytes }), 112)
  image.set(digestSalt, 132)
  image.writeUInt32BE(iterations, 164)
  image.write(uuid, 168)
  for (let slot = 0; slot < slotCount; slot++) {
    const at = slotsAt + slot * slotBytes
    image.writeUInt32BE(slot === 0 ? inUse : unused, at)
    image.writeUInt32BE(slot === 0 ? iterations : 0, at + 4)
    image.writeUInt32BE((alignBytes + slot * areaStepBytes) / sectorBytes, at + 40)
    image.writeUInt32BE(stripes, at + 44)
  }
  image.set(salt, slotsAt + 8)
  const kdf = { by: 'pbkdf2', hash: 'sha256', iterations, salt } as const
  image.set(sealKeyslot({ passphrase, volumeKey, kdf, random }), alignBytes)
  return image
}

interface Slot {
  readonly iterations: number
  readonly salt: Uint8Array
  readonly areaOffsetBytes: number
}

interface Header {
  readonly hash: Luks2Hash
  readonly digest: Uint8Array
  readonly digestSalt: Uint8Array
  readonly digestIterations: number
  readonly slots: readonly Slot[]
}

/**
 * The volume key, owned by the caller; null where the passphrase opens none of the slots. Faults: 'unprocessable' for what
 * is no such header, or asks for more work than is spent on one. Works in the thread pool: a slot may take seconds.
 */
export async function openLuks1(image: Uint8Array, passphrase: SecretBytes): Promise<SecretBytes | null> {
  if (passphrase.byteCount > passphraseBytesMax) return null
  const header = parse(Buffer.from(image.buffer, image.byteOffset, image.byteLength))
  let workLeft = luks1PbkdfIterationsMax
  for (const slot of header.slots) {
    workLeft -= slot.iterations + header.digestIterations
    if (workLeft < 0) throw luks1Fault('asks for more work than is spent on one image')
    const volumeKey = await openSlot(image, passphrase, header, slot)
    if (volumeKey) return volumeKey
  }
  return null
}

async function openSlot(
  image: Uint8Array,
  passphrase: SecretBytes,
  header: Header,
  slot: Slot,
): Promise<SecretBytes | null> {
  const { hash } = header
  using slotKey = await stretched(passphrase, { ...slot, hash, byteCount: volumeKeyBytes })
  const candidate = openArea(image, slotKey, { areaOffsetBytes: slot.areaOffsetBytes, stripeHash: hash })
  const by = { salt: header.digestSalt, iterations: header.digestIterations, hash, byteCount: digestBytes }
  using found = await stretched(candidate, by)
  using expected = SecretBytes.copyOf(header.digest)
  if (found.equals(expected)) return candidate
  candidate[Symbol.dispose]()
  return null
}

interface Stretching {
  readonly salt: Uint8Array
  readonly iterations: number
  readonly hash: Luks2Hash
  readonly byteCount: number
}

/** Node copies what it is given before it returns, and so the secret may end meanwhile. */
async function stretched(secret: SecretBytes, by: Stretching): Promise<SecretBytes> {
  return SecretBytes.own(await secret.use((bytes) => derive(bytes, by.salt, by.iterations, by.byteCount, by.hash)))
}

function parse(image: Buffer): Header {
  if (image.length < headerBytes || !image.subarray(0, 6).equals(magic)) throw luks1Fault('is none')
  if (image.readUInt16BE(6) !== version) throw luks1Fault('is of another version')
  const hash = text(image, 72)
  const isKnown = text(image, 8) === 'aes' && text(image, 40) === 'xts-plain64'
  if (!isKnown || image.readUInt32BE(108) !== volumeKeyBytes) throw luks1Fault('names another cipher than AES-256-XTS')
  if (hash !== 'sha256' && hash !== 'sha384' && hash !== 'sha512') throw luks1Fault('names a hash that is not known')
  const digestIterations = image.readUInt32BE(164)
  if (digestIterations === 0) throw luks1Fault('has a digest of no iterations')
  return {
    hash,
    digest: image.subarray(112, 112 + digestBytes),
    digestSalt: image.subarray(132, 132 + saltBytes),
    digestIterations,
    slots: slotsOf(image),
  }
}

function slotsOf(image: Buffer): Slot[] {
  const slots: Slot[] = []
  for (let at = slotsAt; at < headerBytes; at += slotBytes) {
    const state = image.readUInt32BE(at)
    if (state === unused) continue
    if (state !== inUse || image.readUInt32BE(at + 44) !== stripes) throw luks1Fault('has a key slot that is none')
    const areaOffsetBytes = image.readUInt32BE(at + 40) * sectorBytes
    const isInside = areaOffsetBytes >= headerBytes && areaOffsetBytes + stripedKeyBytes <= image.length
    const count = image.readUInt32BE(at + 4)
    if (!isInside || count === 0) throw luks1Fault('has a key slot that is none')
    slots.push({ iterations: count, salt: image.subarray(at + 8, at + 8 + saltBytes), areaOffsetBytes })
  }
  return slots
}

function text(image: Buffer, at: number): string {
  const field = image.subarray(at, at + 32)
  const end = field.indexOf(0)
  return field.toString('latin1', 0, end < 0 ? field.length : end)
}
