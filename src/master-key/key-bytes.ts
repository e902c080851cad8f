// A master key of 32 bytes in our memory, wherever it was read from.

import type { Random } from '#base/random.ts'
import { makeSealer, masterKeyId } from '#crypto/sealed-record.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import type { KeyRecord, MasterKey, MasterKeyRecord } from './master-key.ts'

/** Takes the bytes over. */
export const keyFromBytes = (bytes: SecretBytes, random: Random, record?: MasterKeyRecord): MasterKey => ({
  ...makeSealer(bytes, random),
  record: record ?? recordOf(bytes),
  [Symbol.dispose]: () => bytes[Symbol.dispose](),
})

export const idOf = (bytes: SecretBytes): string => Buffer.from(masterKeyId(bytes)).toString('hex')

const recordOf = (bytes: SecretBytes): KeyRecord => ({ kind: 'key', id: idOf(bytes) })
