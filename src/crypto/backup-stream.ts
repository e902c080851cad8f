// A backup as a stream of bytes: a head in the clear that says which master key opens it, then the payload in chunks of
// 64 KiB, each sealed for its place, the last one marked as the last. Nothing that was cut, exchanged or flipped opens.
// The construction is STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, 2015), as age uses it. docs/formats.md, "Backup".

import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { backupChunkBytes, backupHeadBytesMax } from '#base/limits.ts'
import { lengthPrefixed, utf8 } from './length-prefixed.ts'
import { SecretBytes } from './secret-bytes.ts'

export const backupKeyBytes = 32

const magic = utf8('keyward backup v1\n')
const tagBytes = 16

/** The first bytes of the file: the format, the length of `head`, and `head`. */
export function formatHead(head: Uint8Array): Uint8Array {
  assert(head.length <= backupHeadBytesMax, 'a head is an id, a time and a master key record')
  const bytes = new Uint8Array(magic.length + 4 + head.length)
  bytes.set(magic)
  new DataView(bytes.buffer).setUint32(magic.length, head.length)
  bytes.set(head, magic.length + 4)
  return bytes
}

/** `source` gives the bytes of the file in order; what it gives next is the payload. */
export async function readHead(source: ByteSource): Promise<{ readonly head: Uint8Array; readonly all: Uint8Array }> {
  const start = await source.read(magic.length + 4)
  if (start.length < magic.length + 4 || Buffer.compare(start.subarray(0, magic.length), magic) !== 0) {
    throw new Fault('unprocessable', 'the file is not a backup that this program reads')
  }
  const headBytes = new DataView(start.buffer, start.byteOffset).getUint32(magic.length)
  if (headBytes > backupHeadBytesMax) throw refusal()
  const head = await source.read(headBytes)
  if (head.length < headBytes) throw refusal()
  return { head, all: Buffer.concat([start, head]) }
}

/** Bytes in order. */
export interface ByteSource {
  /** `count` bytes, or fewer at the end. */
  read(count: number): Promise<Uint8Array>
}

/** Seals the payload chunk by chunk. `all` is the clear beginning of the file, which is bound into every chunk's key. */
export async function* sealStream(key: SecretBytes, all: Uint8Array, payload: ByteSource): AsyncGenerator<Uint8Array> {
  using chunkKey = deriveKey(key, all)
  let chunk = await payload.read(backupChunkBytes)
  for (let index = 0; ; index += 1) {
    const next = chunk.length < backupChunkBytes ? null : await payload.read(backupChunkBytes)
    const isLast = next === null || next.length === 0
    const cipher = chunkKey.use((bytes) => createCipheriv('aes-256-gcm', bytes, nonceOf(index, isLast)))
    yield Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()])
    if (isLast) return
    chunk = next
  }
}

/** Gives nothing of a chunk that does not open; ends only after the chunk that is marked as the last. */
export async function* openStream(key: SecretBytes, all: Uint8Array, sealed: ByteSource): AsyncGenerator<Uint8Array> {
  using chunkKey = deriveKey(key, all)
  const sealedChunkBytes = backupChunkBytes + tagBytes
  let chunk = await sealed.read(sealedChunkBytes)
  for (let index = 0; ; index += 1) {
    const next = chunk.length < sealedChunkBytes ? null : await sealed.read(sealedChunkBytes)
    const isLast = next === null || next.length === 0
    yield openChunk(chunkKey, chunk, nonceOf(index, isLast))
    if (isLast) return
    chunk = next
  }
}

function openChunk(chunkKey: SecretBytes, chunk: Uint8Array, nonce: Uint8Array): Uint8Array {
  const bodyBytes = chunk.length - tagBytes
  if (bodyBytes < 0) throw refusal()
  const decipher = chunkKey.use((bytes) => createDecipheriv('aes-256-gcm', bytes, nonce, { authTagLength: tagBytes }))
  decipher.setAuthTag(chunk.subarray(bodyBytes))
  const opened = decipher.update(chunk.subarray(0, bodyBytes))
  try {
    decipher.final()
    return opened
  } catch {
    opened.fill(0)
    throw refusal()
  }
}

/** The key serves one file only, so that places are nonces enough: 11 bytes of the place, one of whether it is the last. */
function nonceOf(index: number, isLast: boolean): Uint8Array {
  const nonce = new Uint8Array(12)
  new DataView(nonce.buffer).setBigUint64(3, BigInt(index))
  nonce[11] = isLast ? 1 : 0
  return nonce
}

function deriveKey(key: SecretBytes, all: Uint8Array): SecretBytes {
  assert(key.byteCount === backupKeyBytes, 'the key of a backup has 32 bytes')
  const info = lengthPrefixed([utf8('keyward backup v1'), createHash('sha256').update(all).digest()])
  return key.use((bytes) => SecretBytes.own(new Uint8Array(hkdfSync('sha256', bytes, '', info, backupKeyBytes))))
}

const refusal = (): Fault => new Fault('unprocessable', 'the backup is damaged or incomplete')
