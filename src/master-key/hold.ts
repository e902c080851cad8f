// The master key at start: the one that this data folder was sealed under, or on a first run a new one. It is never
// silently replaced: new keys over old data would be data lost.

import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import type { Database } from '#store/database.ts'
import type { SealedRows } from '#store/sealed-rows.ts'
import type { MasterKey, MasterKeyProvider, MasterKeyRecord } from './master-key.ts'
import { beginRotation, readRecords, writeCurrent } from './records.ts'
import { makeRing } from './ring.ts'
import type { Ring } from './ring.ts'

export interface MasterKeyProviders {
  readonly present: MasterKeyProvider
  /** Where the key before it was, while the one replaces the other. */
  readonly old: MasterKeyProvider | null
}

export interface Held {
  /** While a rotation is under way it holds both keys, and seals under the new one. */
  readonly ring: Ring
  /** Whether a rotation has begun and not ended: `finishRotation` goes on with it. */
  readonly isRotating: boolean
}

export async function holdMasterKey(
  providers: MasterKeyProviders,
  database: Database,
  tables: readonly SealedRows[],
): Promise<Held> {
  const { present, old } = providers
  const { current, next } = await readRecords(database)
  if (!current) return { ring: makeRing(await begin(present, database, tables)), isRotating: false }
  if (next) return await goOn(providers, current, next)

  const found = await present.find(current)
  if (found) {
    // A crash may have come between the end of a rotation and this.
    await present.settle(current)
    return { ring: makeRing(found), isRotating: false }
  }
  if (!old) throw wrongKey(present)

  const before = await old.find(current)
  if (!before) throw wrongKey(old)
  const after = await present.first()
  await database.transaction((tx) => beginRotation(tx, after.record))
  return turned(before, after)
}

async function begin(
  present: MasterKeyProvider,
  database: Database,
  tables: readonly SealedRows[],
): Promise<MasterKey> {
  for (const table of tables) {
    if ((await table.page(database.reads, '', 1)).length > 0) {
      throw new Fault('unavailable', 'the database holds sealed records, but not the record of its master key')
    }
  }
  const key = await present.first()
  await database.transaction((tx) => writeCurrent(tx, key.record))
  return key
}

/** Both keys are needed until the rotation has ended, wherever each of them is. */
async function goOn(
  { present, old }: MasterKeyProviders,
  current: MasterKeyRecord,
  next: MasterKeyRecord,
): Promise<Held> {
  const sources = old ? [present, old] : [present]
  const before = await firstThatHas(sources, current)
  const after = await firstThatHas(sources, next)
  if (before && after) return turned(before, after)
  before?.[Symbol.dispose]()
  after?.[Symbol.dispose]()
  const missing = before ? `the new one (${next.id})` : `the old one (${current.id})`
  const message = `the master key is being replaced, and until that is done both keys are needed: ${missing} is not here`
  throw new Fault('unavailable', message)
}

function turned(before: MasterKey, after: MasterKey): Held {
  const ring = makeRing(before)
  ring.turn(after)
  return { ring, isRotating: true }
}

async function firstThatHas(sources: readonly MasterKeyProvider[], record: MasterKeyRecord): Promise<MasterKey | null> {
  let refusal: unknown = null
  for (const source of sources) {
    try {
      const key = await source.find(record)
      if (key) return key
    } catch (error) {
      // Another source may hold it.
      if (!(error instanceof Fault)) throw error
      refusal = error
    }
  }
  if (refusal) throw refusal
  return null
}

function wrongKey(provider: MasterKeyProvider): Fault {
  assert(provider.name !== '', 'a source of master keys has a name')
  return new Fault('unavailable', `${provider.name} is not the one that this data folder was sealed under`)
}
