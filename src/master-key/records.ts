// What the database knows of its master key, and of the one that is to replace it: docs/formats.md, "Master key record".

import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import type { Reads, Tx } from '#store/database.ts'
import { deleteMeta, readMeta, writeMeta } from '#store/meta.ts'
import type { MasterKeyRecord, PassphraseRecord } from './master-key.ts'

const currentName = 'master-key'
const nextName = 'master-key-next'

export interface MasterKeyRecords {
  readonly current: MasterKeyRecord | null
  /** While a rotation is under way. */
  readonly next: MasterKeyRecord | null
}

export async function readRecords(database: { readonly reads: Reads }): Promise<MasterKeyRecords> {
  const read = async (name: string): Promise<MasterKeyRecord | null> => {
    const bytes = await readMeta(database, name)
    return bytes ? parseRecord(bytes) : null
  }
  return { current: await read(currentName), next: await read(nextName) }
}

export const writeCurrent = (tx: Tx, record: MasterKeyRecord): Promise<void> =>
  writeMeta(tx, currentName, formatRecord(record))

/** From here on both keys are needed, until `endRotation`. */
export const beginRotation = (tx: Tx, next: MasterKeyRecord): Promise<void> =>
  writeMeta(tx, nextName, formatRecord(next))

export async function endRotation(tx: Tx, next: MasterKeyRecord): Promise<void> {
  await writeCurrent(tx, next)
  await deleteMeta(tx, nextName)
}

export const formatRecord = (record: MasterKeyRecord): Uint8Array => new TextEncoder().encode(JSON.stringify(record))

/** Of our database or of a backup; the latter may come from anywhere, so everything is looked at. */
export function parseRecord(bytes: Uint8Array): MasterKeyRecord {
  const value = parseJson(bytes)
  const id = text(value['id'], /^[0-9a-f]{32}$/)
  switch (value['kind']) {
    case 'key':
      return { kind: 'key', id }
    case 'passphrase':
      return { kind: 'passphrase', id, argon2id: parseCosts(value['argon2id']) }
    case 'pkcs11':
      return { kind: 'pkcs11', id, check: text(value['check'], /^[A-Za-z0-9+/]{1,400}={0,2}$/) }
    default:
      throw broken()
  }
}

function parseCosts(value: unknown): PassphraseRecord['argon2id'] {
  if (!isObject(value)) throw broken()
  return {
    salt: text(value['salt'], /^[0-9a-f]{32}$/),
    memoryKib: whole(value['memoryKib']),
    passes: whole(value['passes']),
    lanes: whole(value['lanes']),
  }
}

function parseJson(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'))
    assert(isObject(value), 'a record is an object')
    return value
  } catch (cause) {
    throw broken(cause)
  }
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function text(value: unknown, form: RegExp): string {
  if (typeof value === 'string' && form.test(value)) return value
  throw broken()
}

function whole(value: unknown): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value > 0) return value
  throw broken()
}

const broken = (cause?: unknown): Fault =>
  new Fault('unavailable', 'the record of the master key cannot be read', { cause })
