// `keyward master-key rotate`, from beside a running server or in its place. The database says which: the process that
// holds the data folder does the work, and the other one writes down what is wanted and waits.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { rotationLookMs } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { DataFolder } from '#store/data-folder.ts'
import { databasePathIn, holdDataFolder, inUse } from '#store/data-folder.ts'
import type { Database } from '#store/database.ts'
import type { SealedRows } from '#store/sealed-rows.ts'
import { openPostgres } from '#store/postgres.ts'
import { openSqlite } from '#store/sqlite.ts'
import { holdMasterKey } from '#master-key/hold.ts'
import type { MasterKeyProviders } from '#master-key/hold.ts'
import type { MasterKey, MasterKeyProvider } from '#master-key/master-key.ts'
import { beginRotation, readRecords } from '#master-key/records.ts'
import { finishRotation } from '#master-key/rotate.ts'

export interface RotationCommand {
  readonly dataFolder: string
  /** Of a PostgreSQL, which one process at a time opens; null for the embedded database. */
  readonly databaseUrl: string | null
  readonly providers: MasterKeyProviders
  readonly tables: readonly SealedRows[]
  readonly clock: Clock
  readonly log: Log
  say(sentence: string): void
}

export async function rotateMasterKey(command: RotationCommand): Promise<void> {
  const folder = holdUnlessInUse(command.dataFolder)
  const database = await open(command)
  try {
    if (folder) await rotateHere(command, database)
    else await askServer(command, database)
  } finally {
    await database.close()
    folder?.release()
  }
}

async function open({ dataFolder, databaseUrl }: RotationCommand): Promise<Database> {
  if (databaseUrl === null) return await openSqlite(databasePathIn(dataFolder))
  return await openPostgres({ url: databaseUrl })
}

function holdUnlessInUse(path: string): DataFolder | null {
  try {
    return holdDataFolder(path)
  } catch (error) {
    if (error instanceof Fault && error.reason === inUse) return null
    throw error
  }
}

async function rotateHere(command: RotationCommand, database: Database): Promise<void> {
  const { providers, tables, clock, log, say } = command
  const { present } = providers
  const held = await holdMasterKey(providers, database, tables)
  using ring = held.ring
  if (!held.isRotating) ring.turn(await begin(database, present))
  // Nobody else is at work, so nothing has to settle.
  await finishRotation({ database, ring, tables, clock, log, present }, async () => {})
  say(`the master key is now ${ring.current.record.id}`)
}

async function askServer(command: RotationCommand, database: Database): Promise<void> {
  const { providers, clock, say } = command
  const { current, next: pending } = await readRecords(database)
  if (!current) throw new Fault('unavailable', 'the server has not made its master key yet')
  if (!pending) {
    using known = await providers.present.find(current)
    if (!known) throw new Fault('unavailable', `${providers.present.name} is not the one that the server uses`)
    using next = await begin(database, providers.present)
    say(`the server is asked to seal everything under ${next.record.id}; it keeps serving`)
  }
  const wanted = pending?.id ?? (await readRecords(database)).next?.id
  for (;;) {
    const { current: now, next } = await readRecords(database)
    if (!next) return say(`the master key is now ${now?.id ?? wanted ?? ''}`)
    await new Promise<void>((resolve) => keepAlive(clock, rotationLookMs, resolve))
  }
}

async function begin(database: Database, present: MasterKeyProvider): Promise<MasterKey> {
  const next = await present.fresh()
  if (!next) {
    const how =
      'name the new one in its place and the old one by the settings that begin with "old", and start the server'
    throw new Fault('invalid', `${present.name} has one value, and a new one can only come from you: ${how}`)
  }
  await database.transaction((tx) => beginRotation(tx, next.record))
  return next
}

/** The clock's timers let a process end; this one has nothing else to wait for. */
function keepAlive(clock: Clock, ms: number, done: () => void): void {
  const hold = setInterval(() => {}, ms)
  clock.after(ms, () => {
    clearInterval(hold)
    done()
  })
}
