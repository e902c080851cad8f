// Service instances of the key manager: room for keys, made and unmade on the resource controller's word, which has asked
// whether the caller may and tells of it with events of its own.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Database } from '#store/database.ts'
import type { KmsInstance, KmsPort } from './port.ts'
import { deleteInstance as deleteRows, insertInstance, selectLivingKeyIds } from './tables-service.ts'

export type Instances = Pick<KmsPort, 'createInstance' | 'deleteInstance'>

export function makeInstances(parts: { readonly database: Database; readonly clock: Clock }): Instances {
  const { database, clock } = parts

  async function createInstance(instance: KmsInstance): Promise<void> {
    await database.transaction((tx) => insertInstance(tx, instance, clock.now()))
  }

  /** Key Protect, "Deleting an instance": refused while keys remain; says which, since lists leave some of them out. */
  async function deleteInstance(id: string): Promise<void> {
    await database.transaction(async (tx) => {
      const living = await selectLivingKeyIds(tx, id, namedKeysMax + 1)
      if (living.length > 0) throw keysRemain(id, living)
      await deleteRows(tx, id)
    })
  }

  return { createInstance, deleteInstance }
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
