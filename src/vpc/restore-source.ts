// The snapshot that a body points at for a new volume, with leave to make one of it: the account's own, by any identity, or
// another account's, by its CRN. Source: VPC docs, "Restoring a volume from a snapshot of another account": the owner
// authorises the other account's block storage, with the role SnapshotRemoteAccountRestorer; the user there has
// VolumeRemoteAccountSnapshotRestorer in his own (volume-create.ts).

import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import { idOf } from './identity.ts'
import type { VpcParts } from './parts.ts'
import type { Snapshot } from './snapshot.ts'
import { mayBeDone, snapshotStateOf } from './snapshot-state.ts'
import { locateRemote, locateSnapshot, readSnapshot } from './tables-snapshots.ts'
import type { RestoreSnapshot } from './tables-snapshots.ts'
import { collectionTarget, targetOf } from './targets.ts'
import { blockStorageOf } from './volume.ts'
import { keyReason } from './volume-state.ts'

export interface RestoreSource {
  readonly snapshot: Snapshot
  readonly grant: RestoreSnapshot
  readonly isRemote: boolean
}

interface Identity {
  readonly id?: string | undefined
  readonly crn?: string | undefined
  readonly href?: string | undefined
}

const field = 'source_snapshot'

export async function planSource(
  parts: VpcParts,
  context: Context,
  identity: Identity | undefined,
): Promise<RestoreSource | null> {
  if (!identity) return null
  const id = idOf(identity, field)
  const crn = identity.crn === undefined ? null : checkCrn(identity.crn, parts.region)
  const isRemote = crn !== null && crn.accountId !== context.caller.accountId
  const grant = isRemote
    ? await remoteGrant(parts, context, { crn: identity.crn ?? '', accountId: crn.accountId, id })
    : await ownGrant(parts, context, id)
  const snapshot = await readSnapshot(parts.database.reads, grant)
  if (!snapshot || (crn && snapshot.crn !== identity.crn)) throw unknown(id)
  checkRestorable(snapshot)
  return { snapshot, grant, isRemote }
}

/** A snapshot is restored in its region; its copies, which would bring it to others, are not served. */
function checkCrn(text: string, region: string): { readonly accountId: string } {
  const crn = parseCrn(text)
  if (crn?.serviceName !== 'is' || crn.resourceType !== 'snapshot' || crn.resource === '') {
    throw refused('validation_invalid_ref', 'source_snapshot.crn is not the CRN of a snapshot', 'source_snapshot.crn')
  }
  if (crn.location !== region) {
    const message = `source_snapshot.crn is of region ${crn.location}: a volume is restored in the region of its snapshot`
    throw refused('validation_invalid_ref', message, 'source_snapshot.crn')
  }
  return crn
}

async function ownGrant(parts: VpcParts, context: Context, id: string): Promise<RestoreSnapshot> {
  const at = { accountId: context.caller.accountId, region: parts.region, id }
  const place = await locateSnapshot(parts.database.reads, at)
  if (!place) throw unknown(id)
  return await parts.iam.authorize(context.caller, 'is.snapshot.snapshot.operate', targetOf('snapshot', place))
}

/**
 * The owner's policies decide, about the snapshot as it lies in the owner's account. Whoever they do not permit reads the
 * same whether there is such a snapshot or not: the answer is made of the CRN alone.
 */
async function remoteGrant(
  parts: VpcParts,
  context: Context,
  { crn, accountId, id }: { readonly crn: string; readonly accountId: string; readonly id: string },
): Promise<RestoreSnapshot> {
  const action = 'is.snapshot.snapshot.remote-restore'
  const as = blockStorageOf(context.caller.accountId)
  const named = { ...collectionTarget('snapshot', accountId, parts.region), resource: id }
  const place = await locateRemote(parts.database.reads, crn, parts.region)
  const target = place ? targetOf('snapshot', place) : named
  if (!(await parts.iam.decide(as, action, target)).permitted) {
    const message =
      `block storage (server-protect) of account ${as.accountId} is not authorized to restore snapshots of account ` +
      `${accountId}: that account must have an authorization policy for it to is with role SnapshotRemoteAccountRestorer`
    throw new Fault('forbidden', message, {
      reason: 'snapshots_not_authorized',
      target: { type: 'field', name: 'source_snapshot.crn' },
      explanation: parts.iam.explain(as, action, named),
    })
  }
  if (!place) throw unknown(id)
  return await parts.iam.authorize(as, action, target)
}

/** VPC docs, "Restoring": from a stable snapshot only. Asked again in the transaction that makes the volume's row. */
export function checkRestorable(snapshot: Snapshot): void {
  const state = snapshotStateOf(snapshot)
  if (mayBeDone('restore', state)) return
  const reason = state === 'unusable' ? keyReason(snapshot.keyStanding) : null
  const why = reason ? `: ${reason.message.replace('volume', 'snapshot')} (${reason.code})` : ''
  throw new Fault('conflict', `snapshot ${snapshot.id} is ${state}, not stable${why}`, {
    reason: 'invalid_state',
    target: { type: 'field', name: field },
  })
}

export const unknown = (id: string): Fault =>
  refused('snapshots_not_found', `snapshot with id ${JSON.stringify(id.slice(0, 64))} is not found`, field)

const refused = (reason: string, message: string, name: string): Fault =>
  new Fault('invalid', message, { reason, target: { type: 'field', name } })
