// The data folder: made 0700 on the first run, held by one process at a time. The hold is an exclusive SQLite lock on a
// file of its own, which the operating system drops with the process, however it ends: no stale lock files.

import { chmodSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Fault } from '#base/fault.ts'

export interface DataFolder {
  readonly path: string
  readonly databasePath: string
  release(): void
}

export function holdDataFolder(folder: string): DataFolder {
  const path = resolve(folder)
  try {
    // Fails on a file of that name.
    mkdirSync(path, { recursive: true, mode: 0o700 })
    chmodSync(path, 0o700)
  } catch (cause) {
    throw new Fault('unavailable', `data folder ${path} cannot be made or is not ours`, { cause })
  }
  const lock = new DatabaseSync(join(path, 'lock'))
  try {
    lock.exec('pragma locking_mode = exclusive; begin exclusive')
  } catch (cause) {
    lock.close()
    throw new Fault('unavailable', `data folder ${path} is in use by another process`, { cause })
  }
  return { path, databasePath: join(path, 'keyward.db'), release: () => lock.close() }
}
