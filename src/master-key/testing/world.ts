// A database with a table of sealed records, and a source of master keys in a folder: what a rotation works on.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#base/clock.ts'
import { makeLog } from '#base/log.ts'
import { systemRandom } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { signingKeyRows } from '#iam/tables-signing-keys.ts'
import type { Database } from '#store/database.ts'
import type { SealedRow, SealedRows } from '#store/sealed-rows.ts'
import { openSqlite } from '#store/sqlite.ts'
import { readMeta, writeMeta } from '#store/meta.ts'
import { holdMasterKey } from '../hold.ts'
import type { Held, MasterKeyProviders } from '../hold.ts'
import type { MasterKeyProvider } from '../master-key.ts'
import { finishRotation } from '../rotate.ts'

/** Rows in the meta table, under names that begin alike: a table of sealed records that a test can count. */
export const secretRows: SealedRows = {
  name: 'store_meta.secret',
  async page(reads, afterKey, limit) {
    const rows: SealedRow[] = []
    for (let i = afterKey === '' ? 0 : Number(afterKey) + 1; rows.length < limit; i += 1) {
      const sealed = await readMeta({ reads }, secretName(i))
      if (!sealed) break
      rows.push({ key: String(i), purpose: secretName(i), sealed })
    }
    return rows
  },
  async replace(tx, row, resealed) {
    const held = await readMeta({ reads: tx }, row.purpose)
    if (held && Buffer.compare(held, row.sealed) === 0) await writeMeta(tx, row.purpose, resealed)
  },
}

export const tables: readonly SealedRows[] = [secretRows, signingKeyRows]

export const secretName = (i: number): string => `secret-${i}`
const secretText = (i: number): Uint8Array => new TextEncoder().encode(`the ${i}th secret`)

export async function addSecrets(database: Database, sealer: Sealer, from: number, count: number): Promise<void> {
  for (let i = from; i < from + count; i += 1) {
    const sealed = sealer.seal(secretName(i), secretText(i))
    await database.transaction((tx) => writeMeta(tx, secretName(i), sealed))
  }
}

/** How many of the secrets are there; each of them must open. */
export async function countOpened(database: Database, sealer: Sealer): Promise<number> {
  for (let i = 0; ; i += 1) {
    const sealed = await readMeta(database, secretName(i))
    if (!sealed) return i
    const opened = sealer.open(secretName(i), sealed)
    if (Buffer.compare(opened, secretText(i)) !== 0) throw new Error(`${secretName(i)} opens to something else`)
  }
}

export interface World extends AsyncDisposable {
  readonly folder: string
  readonly keyPath: string
  readonly database: Database
  hold(present: MasterKeyProvider, old?: MasterKeyProvider): Promise<Held>
  /** As a process without anybody beside it does. */
  rotate(held: Held, present: MasterKeyProvider, over?: Database): Promise<void>
}

export async function makeWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'keyward-master-key-'))
  const database = await openSqlite(join(folder, 'keyward.db'))
  return {
    folder,
    keyPath: join(folder, 'master.key'),
    database,
    hold(present, old) {
      const providers: MasterKeyProviders = { present, old: old ?? null }
      return holdMasterKey(providers, database, tables)
    },
    async rotate({ ring }, present, over = database) {
      const parts = { database: over, ring, tables, clock: systemClock, log: makeLog('silent'), present }
      await finishRotation(parts, async () => {})
    },
    async [Symbol.asyncDispose]() {
      await database.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Fails before its `failing`th transaction from now on, or after it has been committed. */
export function failingDatabase(real: Database, failing: number, when: 'before' | 'after'): Database {
  let count = 0
  return {
    ...real,
    async transaction(work) {
      count += 1
      if (count === failing && when === 'before') throw new Error('the process was killed')
      const result = await real.transaction(work)
      if (count === failing) throw new Error('the process was killed')
      return result
    },
  }
}

export const random = systemRandom
