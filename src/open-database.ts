// Opens the database that the settings name, and refuses pairs of folder and database that do not belong together.

import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Fault } from '#base/fault.ts'
import type { Log } from '#base/log.ts'
import type { DataFolder } from '#store/data-folder.ts'
import type { Database } from '#store/database.ts'
import { openPostgres } from '#store/postgres.ts'
import { openSqlite } from '#store/sqlite.ts'
import { isBootstrapped } from './bootstrap.ts'

export async function openDatabase(parts: {
  /** Null for the embedded one. */
  readonly url: string | null
  readonly folder: DataFolder
  readonly log: Log
}): Promise<Database> {
  const { url, folder, log } = parts
  if (url === null) {
    if (folder.isNew) refuseLostDatabase(folder.path)
    return await openSqlite(folder.databasePath)
  }
  if (!folder.isNew) {
    throw new Fault('unavailable', `${folder.databasePath} is the database of this folder: --database names another`)
  }
  const database = await openPostgres({
    url,
    onReplaced() {
      log.fatal('another server has taken the database over; what was acknowledged is safe')
      process.kill(process.pid, 'SIGTERM')
    },
  })
  try {
    if (!(await isBootstrapped(database))) refuseLostDatabase(folder.path)
  } catch (error) {
    await database.close()
    throw error
  }
  return database
}

/** Images without their database are volumes that nobody could open again: a new one over them would hide the loss. */
function refuseLostDatabase(folder: string): void {
  for (const name of ['volumes', 'objects']) {
    const path = join(folder, name)
    if (!existsSync(path) || readdirSync(path).length === 0) continue
    throw new Fault('unavailable', `${path} holds ${name}, but their database is missing or empty`)
  }
}
