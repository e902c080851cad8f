// The end of a snapshot, as requests ask for it: one by one, with its volume's others, or with its group. From the moment it is
// answered it is on its way out; image and registration follow (reconcile-snapshots.ts).

import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import type { VpcParts } from './parts.ts'
import type { Snapshot } from './snapshot.ts'
import { mayBeDone, snapshotStateOf } from './snapshot-state.ts'
import { isBeingRestored, requestSnapshotDeletion } from './tables-snapshots.ts'
import type { DeleteSnapshot } from './tables-snapshots.ts'

export async function deleteSnapshot(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: DeleteSnapshot,
  before: Snapshot,
): Promise<void> {
  if (!mayBeDone('delete', snapshotStateOf(before))) throw inState(before)
  if (await isBeingRestored(tx, before.id)) throw beingRestored(before)
  if (!(await requestSnapshotDeletion(tx, grant))) throw inState(before)
  const { accountId, crn: snapshotCrn } = before
  const initiatorId = context.caller.iamId
  await parts.outbox.append(tx, { type: 'vpc.snapshot.deletion-requested', accountId, initiatorId, snapshotCrn })
}

export const inState = (snapshot: Snapshot): Fault =>
  new Fault('conflict', `snapshot ${snapshot.id} is ${snapshotStateOf(snapshot)}`, { reason: 'invalid_state' })

/** VPC docs, "Deleting snapshots". */
const beingRestored = ({ id }: Snapshot): Fault =>
  new Fault('conflict', `a volume is being restored from snapshot ${id}`, { reason: 'invalid_state' })
