// Service instances of the key manager: room for keys, made and unmade on the resource controller's word, which has asked
// whether the caller may and tells of it with events of its own.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Database, Reads } from '#store/database.ts'
import type { KeyPurge } from './key-purge.ts'
import type { KmsInstance, KmsPort } from './port.ts'
import type { Scrubbing } from './scrubbing.ts'
import {
  deleteInstance as deleteRows,
  hasInstanceOf,
  insertInstance,
  selectKeysOfInstance,
  selectLivingKeyIds,
} from './tables-service.ts'

export type Instances = Pick<KmsPort, 'hsCryptoRefusal' | 'createInstance' | 'deleteInstance'>

export function makeInstances(parts: {
  readonly database: Database
  readonly clock: Clock
  readonly isMasterKeyInToken: boolean
  readonly scrubbing: Scrubbing
  readonly purgeKey: KeyPurge
}): Instances {
  const { database, clock, isMasterKeyInToken, scrubbing, purgeKey } = parts
  const hsCryptoRefusal = isMasterKeyInToken ? null : needsToken

  async function createInstance(instance: KmsInstance): Promise<void> {
    if (instance.serviceName === 'hs-crypto' && hsCryptoRefusal) throw new Fault('conflict', hsCryptoRefusal)
    await database.transaction((tx) => insertInstance(tx, instance, clock.now()))
  }

  /** Key Protect, "Deleting an instance": refused while keys remain; says which, since lists leave some of them out. */
  async function deleteInstance(id: string): Promise<void> {
    await database.transaction(async (tx) => {
      const living = await selectLivingKeyIds(tx, id, namedKeysMax + 1)
      if (living.length > 0) throw keysRemain(id, living)
      const now = clock.now()
      for (const key of await selectKeysOfInstance(tx, id, now))
        await purgeKey(tx, { key, rule: 'instance-deleted', purgedBy: null, now })
      await deleteRows(tx, id)
    })
    await scrubbing.scrub()
  }

  return { hsCryptoRefusal, createInstance, deleteInstance }
}

/** What an instance of Hyper Protect Crypto Services promises its owner needs the master key to be in a token. */
const needsToken =
  'an instance of hs-crypto needs a hardware security module: a server whose master key is in a PKCS#11 token'

/** Nor may a server serve such instances after its master key has moved out of the token. */
export async function requireToken(reads: Reads, isMasterKeyInToken: boolean): Promise<void> {
  if (!isMasterKeyInToken && (await hasInstanceOf(reads, 'hs-crypto'))) {
    throw new Fault(
      'unavailable',
      'there are instances of hs-crypto, and their keys may be sealed by a PKCS#11 token only',
    )
  }
}

/** Enough to begin with; a sentence is not a list. */
const namedKeysMax = 5

function keysRemain(id: string, living: readonly string[]): Fault {
  const more = living.length > namedKeysMax ? ' and others' : ''
  const names = `${living.slice(0, namedKeysMax).join(', ')}${more}`
  return new Fault('conflict', `instance ${id} holds keys that are not deleted: ${names}`, {
    reason: 'KEY_ACTION_INVALID_STATE_ERR',
  })
}
