// What a machine that runs here has printed. IBM's API has a console to type on, over a websocket; ours is only read. It needs
// leave to operate the instance and not only to see it, since machines print what others should not read.

import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import { instanceGrant, instanceNotFound } from './instance-grants.ts'
import { runsHere } from './machines.ts'
import type { VpcParts } from './parts.ts'
import { attachmentsOfInstances } from './tables-attachments.ts'
import { readInstance } from './tables-instances.ts'

export type ConsoleLogs = ReturnType<typeof makeConsoleLogs>

export function makeConsoleLogs({ database, compute, iam, region }: VpcParts) {
  return {
    async get(context: Context, id: string) {
      const grant = await instanceGrant({ database, iam, region }, context, 'is.instance.instance.operate', id)
      const instance = await readInstance(database.reads, grant)
      if (!instance) throw instanceNotFound(id)
      if (!runsHere(compute, await attachmentsOfInstances(database.reads, [instance.id]))) throw runsElsewhere(id)
      const log = await compute.consoleLog(instance.id)
      return { text: log?.text ?? '', skipped_bytes: log?.skippedBytes ?? 0 }
    },
  }
}

const runsElsewhere = (id: string): Fault =>
  new Fault('conflict', `instance ${id} is not run on this server: whoever runs it has its console`)
