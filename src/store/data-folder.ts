// The data folder: made 0700 on the first run, held by one process at a time. The hold is an exclusive SQLite lock on a
// file of its own, which the operating system drops with the process, however it ends: no stale lock files.

import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from '#base/fault.ts'

export interface DataFolder {
  readonly path: string
  readonly databasePath: string
  /** Nothing has been kept here yet: there is no database, or one of no bytes. */
  readonly isNew: boolean
  release(): void
}

/** The reason of the refusal when another process holds the folder. */
export const inUse = 'data_folder_in_use'

export const databasePathIn = (folder: string): string => join(resolve(folder), 'keyward.db')

export function holdDataFolder(folder: string): DataFolder {
  const path = resolve(folder)
  try {
    // Fails on a file of that name.
    mkdirSync(path, { recursive: true, mode: 0o700 })
    chmodSync(path, 0o700)
  } catch (cause) {
    throw new Fault('unavailable', `data folder ${path} cannot be made or is not ours`, { cause })
  }
  const lock = openLock(path)
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive')
  } catch (cause) {
    lock.close()
    throw new Fault('unavailable', `data folder ${path} is in use by another process`, { cause, reason: inUse })
  }
  const databasePath = databasePathIn(path)
  const isNew = !existsSync(databasePath) || statSync(databasePath).size === 0
  return { path, databasePath, isNew, release: () => lock.close() }
}

function openLock(folder: string): DatabaseSync {
  const path = join(folder, 'lock')
  try {
    return new DatabaseSync(path)
  } catch (cause) {
    throw new Fault('unavailable', `${path} cannot be opened`, { cause })
  }
}
