// `keyward database move`: the control plane's state from the data folder into PostgreSQL, while no server runs. Volumes,
// objects and the master key stay where they are.

import { existsSync } from 'node:fs'
import { rename } from 'node:fs/promises'
import { Fault } from '#base/fault.ts'
import { holdDataFolder } from '#store/data-folder.ts'
import type { Database } from '#store/database.ts'
import { moveRows } from '#store/move.ts'
import { openSqlite } from '#store/sqlite.ts'

export async function moveDatabase(parts: {
  readonly dataFolder: string
  readonly openTarget: () => Promise<Database>
  /** Whether a server has served from the target. */
  readonly isInUse: (target: Database) => Promise<boolean>
}): Promise<{ readonly rows: Readonly<Record<string, number>>; readonly keptPath: string }> {
  const folder = holdDataFolder(parts.dataFolder)
  try {
    const { databasePath } = folder
    if (!existsSync(databasePath)) throw new Fault('not_found', `there is no database in ${folder.path}`)
    // Brought to the schema of this version first, which is the target's.
    await (await openSqlite(databasePath)).close()
    const target = await parts.openTarget()
    try {
      if (await parts.isInUse(target)) {
        throw new Fault(
          'conflict',
          `the PostgreSQL database holds what a server keeps; if that is this one's, and it was moved before, put ${databasePath} away`,
        )
      }
      const rows = await moveRows(databasePath, target)
      const keptPath = `${databasePath}.moved`
      await rename(databasePath, keptPath)
      return { rows, keptPath }
    } finally {
      await target.close()
    }
  } finally {
    folder.release()
  }
}
