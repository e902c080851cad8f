// Machines that a server before this one has left. The kernel kills them with it, all but one whose process had just been
// made: that one is found by its file and by its command line, since process ids are given to others again.

import { readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '#base/log.ts'

/** Nobody else may be starting machines in the folder. */
export async function endLeftovers(folder: string, log: Log): Promise<void> {
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    const processId = Number.parseInt(await readFile(path, 'utf8'), 10)
    if (await isMachine(processId, path)) {
      log.warn({ processId }, 'a machine of a server before this one is ended')
      process.kill(processId, 'SIGKILL')
    }
    await rm(path)
  }
}

async function isMachine(processId: number, path: string): Promise<boolean> {
  if (!(processId > 1)) return false
  try {
    const args = (await readFile(`/proc/${processId}/cmdline`, 'utf8')).split('\0')
    return args[args.indexOf('-pidfile') + 1] === path
  } catch {
    return false
  }
}
