// The master key in a file that its owner alone can read: 32 bytes as base64. A rotation puts the next key beside it,
// under the name with `.next`, until everything is sealed under that one; then the next takes the place of the file.

import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import { decodeBase64, encodeBase64 } from '#crypto/base64-bytes.ts'
import { masterKeyBytes } from '#crypto/sealed-record.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { keyFromBytes } from './key-bytes.ts'
import type { MasterKey, MasterKeyProvider } from './master-key.ts'

export function keyFile(path: string, random: Random): MasterKeyProvider {
  const next = `${path}.next`

  const read = (from: string): MasterKey | null =>
    existsSync(from) ? keyFromBytes(parseKey(readSecretFile(from), from), random) : null

  return {
    name: `the master key ${path}`,
    kind: 'key',
    async find(record) {
      let seen = false
      for (const from of [path, next]) {
        const key = read(from)
        seen ||= key !== null
        if (key?.record.id === record.id) return key
        key?.[Symbol.dispose]()
      }
      if (seen) return null
      throw new Fault('unavailable', `the master key ${path} is missing, and this data folder was sealed under it`)
    },
    async first() {
      const found = read(path)
      if (found) return found
      return create(path, random)
    },
    /** One that an unfinished attempt has left was never used, or it would be in the database's record. */
    async fresh() {
      const unfinished = read(next)
      return unfinished ?? create(next, random)
    },
    async settle(record) {
      using waiting = read(next)
      if (waiting?.record.id !== record.id) return
      using replaced = read(path)
      // Backups made before now were made under it: it is put aside for the operator to delete.
      if (replaced) putAside(path, `${path}.old-${replaced.record.id.slice(0, 8)}`)
      renameSync(next, path)
      syncFolder(path)
    },
  }
}

/** From KEYWARD_MASTER_KEY. The text came with the environment and cannot be wiped. */
export function keyFromText(text: string, name: string, random: Random): MasterKeyProvider {
  const parse = (): MasterKey => keyFromBytes(parseKey(new TextEncoder().encode(text), name), random)
  return {
    name,
    kind: 'key',
    async find(record) {
      const key = parse()
      if (key.record.id === record.id) return key
      key[Symbol.dispose]()
      return null
    },
    first: async () => parse(),
    fresh: async () => null,
    settle: async () => {},
  }
}

/** Owned by the caller. Refuses a file that others can read. */
export function readSecretFile(path: string): Uint8Array {
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      throw new Fault('unavailable', `the secret in ${path} can be read by others: chmod 600 it`)
    }
    return readFileSync(path)
  } catch (cause) {
    if (cause instanceof Fault) throw cause
    throw new Fault('unavailable', `the secret in ${path} cannot be read`, { cause })
  }
}

/** Durable before anything is sealed under it. */
function create(path: string, random: Random): MasterKey {
  const key = SecretBytes.random(random, masterKeyBytes)
  const file = openSync(path, 'wx', 0o600)
  try {
    const text = key.use(encodeBase64)
    writeSync(file, text)
    writeSync(file, '\n')
    text.fill(0)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  syncFolder(path)
  return keyFromBytes(key, random)
}

function putAside(path: string, aside: string): void {
  if (!existsSync(aside)) linkSync(path, aside)
}

function syncFolder(path: string): void {
  const parent = openSync(dirname(path), 'r')
  fsyncSync(parent)
  closeSync(parent)
}

/** Wipes the text. */
function parseKey(text: Uint8Array, source: string): SecretBytes {
  const bytes = decodeBase64(text)
  text.fill(0)
  if (bytes?.length === masterKeyBytes) return SecretBytes.own(bytes)
  bytes?.fill(0)
  throw new Fault('unavailable', `${source} does not hold a master key: ${masterKeyBytes} bytes as base64`)
}
