// The JSON of a LUKS2 header, made for an image of ours and read from anybody's. What is read becomes a plain value
// whose every number has been judged against the image and limits.ts, or a Fault; nothing later looks at JSON. Source:
// "LUKS2 On-Disk Format Specification", section 3. Numbers that may need 64 bits are decimal strings there.

import { assert } from '#base/assert.ts'
import { luks2Argon2KibMax, luks2Argon2LanesMax } from '#base/limits-luks2.ts'
import { binaryHeaderBytes, luks2Fault } from './luks2-binary-header.ts'
import type { Luks2Header } from './luks2-binary-header.ts'
import { volumeKeyBytes } from './xts-engine.ts'

export type Luks2Hash = 'sha256' | 'sha384' | 'sha512'

export type Luks2Kdf =
  | { readonly by: 'pbkdf2'; readonly hash: Luks2Hash; readonly iterations: number; readonly salt: Uint8Array }
  | {
      readonly by: 'argon2i' | 'argon2id'
      readonly passes: number
      readonly memoryKib: number
      readonly lanes: number
      readonly salt: Uint8Array
    }

/** A slot whose area holds a volume key of 64 bytes in 4000 stripes, under AES-256-XTS in sectors of 512 bytes. */
export interface Luks2Keyslot {
  readonly areaOffsetBytes: number
  readonly stripeHash: Luks2Hash
  readonly kdf: Luks2Kdf
}

/** How a volume key is recognised: PBKDF2 of it gives these bytes. */
export interface Luks2Digest {
  readonly hash: Luks2Hash
  readonly iterations: number
  readonly salt: Uint8Array
  readonly digest: Uint8Array
}

export interface Luks2Metadata {
  readonly dataOffsetBytes: number
  readonly sectorBytes: number
  /** The slots we can try, each with the digest that judges what comes out. Others are left out. */
  readonly keyslots: readonly { readonly keyslot: Luks2Keyslot; readonly digest: Luks2Digest }[]
}

export const stripes = 4000
export const stripedKeyBytes = volumeKeyBytes * stripes
/** Rounded up to the alignment of areas. */
export const areaBytes = Math.ceil(stripedKeyBytes / 4096) * 4096

interface NewMetadata {
  readonly headerBytes: number
  readonly dataOffsetBytes: number
  readonly sectorBytes: number
  readonly iterations: number
  readonly kdfSalt: Uint8Array
  readonly digestSalt: Uint8Array
  readonly digest: Uint8Array
  readonly tokens: readonly object[]
}

/** One slot right behind the headers, one segment to the end of the image, one digest that joins them. */
export function printLuks2Metadata(metadata: NewMetadata): string {
  const { headerBytes, dataOffsetBytes, sectorBytes, iterations, kdfSalt, digestSalt, digest, tokens } = metadata
  const areaOffsetBytes = 2 * headerBytes
  assert(areaOffsetBytes + areaBytes <= dataOffsetBytes, 'headers and key slot lie before the data')
  const kdf = { type: 'pbkdf2', hash: 'sha256', iterations, salt: base64(kdfSalt) }
  const keyslot = {
    type: 'luks2',
    key_size: volumeKeyBytes,
    af: { type: 'luks1', stripes, hash: 'sha256' },
    area: { type: 'raw', offset: `${areaOffsetBytes}`, size: `${areaBytes}`, encryption, key_size: volumeKeyBytes },
    kdf,
  }
  const segment = {
    type: 'crypt',
    offset: `${dataOffsetBytes}`,
    size: 'dynamic',
    iv_tweak: '0',
    encryption,
    sector_size: sectorBytes,
  }
  const sizes = {
    json_size: `${headerBytes - binaryHeaderBytes}`,
    keyslots_size: `${dataOffsetBytes - areaOffsetBytes}`,
  }
  const joined = { keyslots: ['0'], segments: ['0'] }
  return JSON.stringify({
    keyslots: { 0: keyslot },
    tokens: Object.fromEntries(tokens.map((token, i) => [i, { keyslots: ['0'], ...token }])),
    segments: { 0: segment },
    digests: { 0: { ...kdf, salt: base64(digestSalt), ...joined, digest: base64(digest) } },
    config: sizes,
  })
}

/** `imageBytes` is how much of the image is at hand: areas must lie in it. */
export function parseLuks2Metadata(header: Luks2Header, imageBytes: number): Luks2Metadata {
  const root = parseJson(header.json)
  const config = objectIn(root, 'config')
  if (sizeIn(config, 'json_size') !== header.headerBytes - binaryHeaderBytes) throw luks2Fault('disagrees on its size')
  // Requirements say "do not touch me unless you know this", such as an encryption that is under way.
  const requirements = Object.hasOwn(config, 'requirements')
    ? arrayIn(objectIn(config, 'requirements'), 'mandatory')
    : []
  if (requirements.length > 0) throw luks2Fault('has requirements that are not supported')

  const [segmentEntry, ...moreSegments] = Object.entries(objectIn(root, 'segments'))
  if (segmentEntry === undefined || moreSegments.length > 0) throw luks2Fault('must have exactly one segment')
  const [segmentName, segmentValue] = segmentEntry
  const { dataOffsetBytes, sectorBytes } = parseSegment(asObject(segmentValue, 'segment'))

  const bounds = { begin: 2 * header.headerBytes, end: Math.min(dataOffsetBytes, imageBytes) }
  const digests = Object.values(objectIn(root, 'digests')).map((value) => asObject(value, 'digest'))
  const keyslots = Object.entries(objectIn(root, 'keyslots')).flatMap(([name, value]) => {
    const keyslot = parseKeyslot(asObject(value, 'key slot'), bounds)
    const own = digests.find(
      (d) => arrayIn(d, 'keyslots').includes(name) && arrayIn(d, 'segments').includes(segmentName),
    )
    return keyslot === null || own === undefined ? [] : [{ keyslot, digest: parseDigest(own) }]
  })
  return { dataOffsetBytes, sectorBytes, keyslots }
}

const encryption = 'aes-xts-plain64'
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64')

type Json = Readonly<Record<string, unknown>>

function parseSegment(segment: Json): { dataOffsetBytes: number; sectorBytes: number } {
  if (segment['type'] !== 'crypt' || segment['encryption'] !== encryption) {
    throw luks2Fault(`must have a segment of type crypt under ${encryption}`)
  }
  if (segment['iv_tweak'] !== '0') throw luks2Fault('has a segment whose sectors do not count from zero')
  if (Object.hasOwn(segment, 'integrity')) throw luks2Fault('has a segment with integrity, which is not supported')
  const sectorBytes = segment['sector_size']
  if (sectorBytes !== 512 && sectorBytes !== 4096) throw luks2Fault('must have sectors of 512 or 4096 bytes')
  const dataOffsetBytes = sizeIn(segment, 'offset')
  if (dataOffsetBytes % sectorBytes !== 0) throw luks2Fault('has data that do not begin at a sector')
  return { dataOffsetBytes, sectorBytes }
}

/** Null when the slot is of a kind we do not open. A slot of our kind with impossible numbers is a Fault. */
function parseKeyslot(keyslot: Json, bounds: { begin: number; end: number }): Luks2Keyslot | null {
  if (keyslot['type'] !== 'luks2' || keyslot['key_size'] !== volumeKeyBytes) return null
  // Priority 0 means that the slot is tried only when it is asked for by number.
  if (keyslot['priority'] === 0) return null
  const area = objectIn(keyslot, 'area')
  const isOurArea = area['type'] === 'raw' && area['encryption'] === encryption && area['key_size'] === volumeKeyBytes
  const af = objectIn(keyslot, 'af')
  const kdf = parseKdf(objectIn(keyslot, 'kdf'))
  const stripeHash = parseHash(af['hash'])
  if (!isOurArea || af['type'] !== 'luks1' || kdf === null || stripeHash === null) return null

  if (af['stripes'] !== stripes) throw luks2Fault(`must have key slots of ${stripes} stripes`)
  const areaOffsetBytes = sizeIn(area, 'offset')
  const areaEnd = areaOffsetBytes + sizeIn(area, 'size')
  const holdsKey = areaEnd - areaOffsetBytes >= stripedKeyBytes
  if (areaOffsetBytes < bounds.begin || areaEnd > bounds.end || !holdsKey) {
    throw luks2Fault('has a key slot outside its place')
  }
  return { areaOffsetBytes, stripeHash, kdf }
}

function parseKdf(kdf: Json): Luks2Kdf | null {
  if (kdf['type'] === 'pbkdf2') {
    const hash = parseHash(kdf['hash'])
    return hash && { by: 'pbkdf2', hash, iterations: countIn(kdf, 'iterations'), salt: bytesIn(kdf, 'salt') }
  }
  if (kdf['type'] !== 'argon2i' && kdf['type'] !== 'argon2id') return null
  const [memoryKib, lanes, salt] = [countIn(kdf, 'memory'), countIn(kdf, 'cpus'), bytesIn(kdf, 'salt')]
  if (lanes > luks2Argon2LanesMax) throw luks2Fault('has a key slot that asks for too many threads')
  if (memoryKib > luks2Argon2KibMax) throw luks2Fault('has a key slot that asks for too much memory')
  // RFC 9106, section 3.1: at least 8 KiB per lane, and a salt of at least 8 bytes.
  if (memoryKib < 8 * lanes || salt.length < 8) throw luks2Fault('has a key slot that Argon2 does not define')
  return { by: kdf['type'], passes: countIn(kdf, 'time'), memoryKib, lanes, salt }
}

function parseDigest(digest: Json): Luks2Digest {
  const hash = parseHash(digest['hash'])
  const expected = bytesIn(digest, 'digest')
  if (digest['type'] !== 'pbkdf2' || hash === null) throw luks2Fault('has a digest that is not supported')
  if (expected.length < 20) throw luks2Fault('has a digest that is too short to judge by')
  return { hash, iterations: countIn(digest, 'iterations'), salt: bytesIn(digest, 'salt'), digest: expected }
}

const hashes: readonly Luks2Hash[] = ['sha256', 'sha384', 'sha512']
const parseHash = (value: unknown): Luks2Hash | null => hashes.find((known) => known === value) ?? null

function parseJson(text: string): Json {
  try {
    return asObject(JSON.parse(text), 'metadata')
  } catch (cause) {
    if (cause instanceof SyntaxError) throw luks2Fault('has metadata that are not JSON')
    throw cause
  }
}

function asObject(value: unknown, what: string): Json {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw luks2Fault(`has no object where its ${what} belongs`)
  }
  // Without a prototype, so that a missing member is undefined whatever its name is.
  return Object.assign(Object.create(null) as Json, value)
}

const objectIn = (json: Json, name: string): Json => asObject(json[name], name)

function arrayIn(json: Json, name: string): readonly unknown[] {
  const value = json[name]
  if (!Array.isArray(value)) throw luks2Fault(`has no list where its ${name} belong`)
  return value
}

/** A size or offset in bytes, as a decimal string. */
function sizeIn(json: Json, name: string): number {
  const value = json[name]
  const size = typeof value === 'string' && /^[0-9]{1,15}$/.test(value) ? Number(value) : Number.NaN
  if (!Number.isSafeInteger(size)) throw luks2Fault(`has no number where its ${name} belongs`)
  return size
}

function countIn(json: Json, name: string): number {
  const value = json[name]
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1 || value > 0xffff_ffff) {
    throw luks2Fault(`has no number where its ${name} belongs`)
  }
  return value
}

function bytesIn(json: Json, name: string): Uint8Array {
  const value = json[name]
  if (typeof value !== 'string' || !/^[A-Za-z0-9+/]{1,128}={0,2}$/.test(value)) {
    throw luks2Fault(`has no base64 where its ${name} belongs`)
  }
  return Buffer.from(value, 'base64')
}
