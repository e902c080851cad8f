// Leave on one instance. Another account's reads as one that does not exist.

import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { VpcParts } from './parts.ts'
import { locateInstance } from './tables-instances.ts'
import { targetOf } from './targets.ts'

export async function instanceGrant<Action extends string>(
  parts: Pick<VpcParts, 'database' | 'iam' | 'region'>,
  context: Context,
  action: Action,
  id: string,
) {
  const { accountId } = context.caller
  const place = await locateInstance(parts.database.reads, { accountId, region: parts.region, id })
  if (!place) throw instanceNotFound(id)
  return await parts.iam.authorize(context.caller, action, targetOf('instance', place))
}

export const instanceNotFound = (id: string): Fault =>
  new Fault('not_found', `instance with id ${JSON.stringify(id.slice(0, 64))} is not found`)
