// A master key that a passphrase stands for: Argon2id (RFC 9106) with the salt and the costs in the database's record, so
// that what is stored without the passphrase opens nothing, and a guess costs what a start costs.

import { argon2 } from 'node:crypto'
import { promisify } from 'node:util'
import { Fault } from '#base/fault.ts'
import { argon2idCosts, argon2idCostsMax, passphraseBytesMin } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import { masterKeyBytes } from '#crypto/sealed-record.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { idOf, keyFromBytes } from './key-bytes.ts'
import { readSecretFile } from './key-file.ts'
import type { MasterKey, MasterKeyProvider, PassphraseRecord } from './master-key.ts'

export type PassphraseSource = { readonly text: string; readonly name: string } | { readonly path: string }

const saltBytes = 16

export function passphrase(source: PassphraseSource, random: Random): MasterKeyProvider {
  const name = 'path' in source ? `the passphrase in ${source.path}` : source.name

  async function derive(costs: PassphraseRecord['argon2id']): Promise<MasterKey> {
    requireBearable(costs)
    const message = withoutLineEnd(
      'path' in source ? readSecretFile(source.path) : new TextEncoder().encode(source.text),
    )
    try {
      if (message.length < passphraseBytesMin) {
        throw new Fault('unavailable', `${name} is too short: at least ${passphraseBytesMin} bytes`)
      }
      const derived = await promisify(argon2)('argon2id', {
        message,
        nonce: Buffer.from(costs.salt, 'hex'),
        parallelism: costs.lanes,
        memory: costs.memoryKib,
        passes: costs.passes,
        tagLength: masterKeyBytes,
      })
      const bytes = SecretBytes.own(derived)
      return keyFromBytes(bytes, random, { kind: 'passphrase', id: idOf(bytes), argon2id: costs })
    } finally {
      message.fill(0)
    }
  }

  const make = (): Promise<MasterKey> =>
    derive({ salt: Buffer.from(random.bytes(saltBytes)).toString('hex'), ...argon2idCosts })

  return {
    name,
    kind: 'passphrase',
    async find(record) {
      if (record.kind !== 'passphrase') return null
      const key = await derive(record.argon2id)
      if (key.record.id === record.id) return key
      key[Symbol.dispose]()
      return null
    },
    first: make,
    fresh: async () => null,
    settle: async () => {},
  }
}

/** A record may come from a file that somebody else made: it must not be able to ask for all memory there is. */
function requireBearable({ memoryKib, passes, lanes }: PassphraseRecord['argon2id']): void {
  const { memoryKib: most, passes: passesMost, lanes: lanesMost } = argon2idCostsMax
  if (memoryKib <= most && passes <= passesMost && lanes <= lanesMost) return
  throw new Fault('unavailable', 'the costs of the passphrase are higher than this program bears')
}

/** An editor's line end is not part of a passphrase. */
function withoutLineEnd(bytes: Uint8Array): Uint8Array {
  let end = bytes.length
  while (end > 0 && (bytes[end - 1] === 0x0a || bytes[end - 1] === 0x0d)) end -= 1
  return bytes.subarray(0, end)
}
