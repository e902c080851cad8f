// Signed notes (c2sp.org/signed-note) with Ed25519, the checkpoints of a log that are written as such
// (c2sp.org/tlog-checkpoint), and proofs that an entry is in one (c2sp.org/tlog-proof). Texts that other tools read too.

import { createHash, createPublicKey, sign, verify } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import { assert } from '#base/assert.ts'
import { hashBytes, verifyInclusion } from './merkle-tree.ts'

/** What a verifier trusts: a name and the key behind it. */
export interface NoteVerifier {
  readonly name: string
  /** 32 bytes, RFC 8032. */
  readonly publicKey: Uint8Array
}

export interface NoteSigner {
  readonly name: string
  readonly privateKey: KeyObject
}

export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

const ed25519Type = 0x01
const keyIdBytes = 4
const signatureBytes = 64
const notesBytesMax = 1 << 20

export function verifierOf({ name, privateKey }: NoteSigner): NoteVerifier {
  assert(privateKey.asymmetricKeyType === 'ed25519', 'notes are signed with Ed25519')
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' })
  assert(x !== undefined, 'an Ed25519 key has a public part')
  return { name, publicKey: new Uint8Array(Buffer.from(x, 'base64url')) }
}

/** `<name>+<key id>+<type and key>`, as the note tools of Go write a verifier. */
export function formatVerifier(verifier: NoteVerifier): string {
  const key = Buffer.concat([Uint8Array.of(ed25519Type), verifier.publicKey])
  return `${verifier.name}+${keyId(verifier).toString('hex')}+${key.toString('base64')}`
}

/** Null for what is no verifier of an Ed25519 key, or names another key than its id does. */
export function parseVerifier(text: string): NoteVerifier | null {
  const [, name, id, key] = /^([^+\s]+)\+([0-9a-f]{8})\+(.+)$/.exec(text) ?? []
  const bytes = key === undefined ? null : parseBase64(key)
  if (name === undefined || bytes?.length !== 33 || bytes[0] !== ed25519Type) return null
  const verifier = { name, publicKey: bytes.slice(1) }
  return keyId(verifier).toString('hex') === id ? verifier : null
}

function keyId({ name, publicKey }: NoteVerifier): Buffer {
  const hash = createHash('sha256').update(`${name}\n`).update(Uint8Array.of(ed25519Type)).update(publicKey)
  return hash.digest().subarray(0, keyIdBytes)
}

/** `text` ends in a newline. */
export function signNote(text: string, signer: NoteSigner): string {
  assert(text.endsWith('\n') && text.isWellFormed(), 'the text of a note is lines of Unicode')
  const signature = sign(null, Buffer.from(text), signer.privateKey)
  const line = Buffer.concat([keyId(verifierOf(signer)), signature]).toString('base64')
  return `${text}\n— ${signer.name} ${line}\n`
}

/** The text, if the verifier's key has signed it; null for whatever is wrong. */
export function openNote(note: string, verifier: NoteVerifier): string | null {
  if (note.length > notesBytesMax || !note.isWellFormed() || hasControls(note)) return null
  const gap = note.lastIndexOf('\n\n')
  if (gap < 0 || !note.endsWith('\n')) return null
  const text = note.slice(0, gap + 1)
  const id = keyId(verifier)
  let isSigned = false
  for (const line of note.slice(gap + 2, -1).split('\n')) {
    const [, name, encoded] = /^— (\S+) (\S+)$/.exec(line) ?? []
    const bytes = encoded === undefined ? null : parseBase64(encoded)
    if (name === undefined || !bytes || bytes.length <= keyIdBytes) return null
    if (name !== verifier.name || Buffer.compare(bytes.subarray(0, keyIdBytes), id) !== 0) continue
    if (!isSignature(text, bytes.subarray(keyIdBytes), verifier)) return null
    isSigned = true
  }
  return isSigned ? text : null
}

function isSignature(text: string, signature: Uint8Array, { publicKey }: NoteVerifier): boolean {
  if (signature.length !== signatureBytes) return false
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey).toString('base64url') }
  return verify(null, Buffer.from(text), createPublicKey({ key: jwk, format: 'jwk' }), signature)
}

// eslint-disable-next-line no-control-regex -- they are what is looked for
const hasControls = (text: string): boolean => /[\u0000-\u0009\u000b-\u001f]/.test(text)

export const formatCheckpoint = ({ origin, size, root }: Checkpoint): string =>
  `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`

/** Null for what is none. Lines after the third are allowed and not read. */
export function parseCheckpoint(text: string): Checkpoint | null {
  const [origin, size, root] = text.split('\n')
  const hash = root === undefined ? null : parseBase64(root)
  const count = parseCount(size)
  if (origin === undefined || origin === '' || count === null || hash?.length !== hashBytes) return null
  return { origin, size: count, root: hash }
}

export interface LogProof {
  readonly index: number
  readonly hashes: readonly Uint8Array[]
  /** The signed note. */
  readonly checkpoint: string
}

const proofHeader = 'c2sp.org/tlog-proof@v1'

export function formatProof({ index, hashes, checkpoint }: LogProof): string {
  const lines = hashes.map((hash) => `${Buffer.from(hash).toString('base64')}\n`)
  return `${proofHeader}\nindex ${index}\n${lines.join('')}\n${checkpoint}`
}

/** Null for what is no proof. */
export function parseProof(text: string): LogProof | null {
  const gap = text.indexOf('\n\n')
  if (gap < 0 || text.length > notesBytesMax) return null
  const [header, ...rest] = text.slice(0, gap).split('\n')
  const lines = rest[0]?.startsWith('extra ') ? rest.slice(1) : rest
  const index = parseCount(/^index (\d+)$/.exec(lines[0] ?? '')?.[1])
  const hashes = lines.slice(1).map(parseBase64)
  if (header !== proofHeader || index === null || hashes.includes(null)) return null
  return { index, hashes: hashes.filter((hash) => hash !== null), checkpoint: text.slice(gap + 2) }
}

/** The checkpoint under which `leafHash` is in the verifier's log; null where the proof does not show that. */
export function verifyProof(text: string, leafHash: Uint8Array, verifier: NoteVerifier): Checkpoint | null {
  const proof = parseProof(text)
  const note = proof && openNote(proof.checkpoint, verifier)
  const checkpoint = note === null ? null : parseCheckpoint(note)
  if (!proof || checkpoint?.origin !== verifier.name) return null
  const { size, root } = checkpoint
  return verifyInclusion({ leafHash, index: proof.index, size, proof: proof.hashes, root }) ? checkpoint : null
}

/** Base64 of RFC 4648 section 4, in the one form that encodes its bytes; null for anything else. */
export function parseBase64(text: string): Uint8Array | null {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : null
}

function parseCount(text: string | undefined): number | null {
  if (text === undefined || !/^(0|[1-9]\d{0,15})$/.test(text)) return null
  const count = Number(text)
  return Number.isSafeInteger(count) ? count : null
}
