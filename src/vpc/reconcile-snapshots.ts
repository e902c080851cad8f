// Finishes or undoes what requests for snapshots began: takes those that have their key, removes those that nobody wants, and
// ends groups that have nothing left. Takes no input, reads the tables, and may run at any time, twice, or late.

import { Fault } from '#base/fault.ts'
import type { SnapshotId } from '#base/id.ts'
import { vpcWorkParallelMax } from '#base/limits.ts'
import type { SnapshotMember } from '#disk/port.ts'
import type { Copies } from './copies.ts'
import { forEach } from './each.ts'
import { failureOf, isOverdue } from './image-failure.ts'
import { overdueBefore } from './parts.ts'
import type { VpcParts } from './parts.ts'
import { percentCopied } from './restore.ts'
import { snapshotSpec } from './snapshot.ts'
import type { Snapshot } from './snapshot.ts'
import { snapshotEvent } from './snapshot-event.ts'
import { snapshotStateOf } from './snapshot-state.ts'
import {
  abandonSnapshot,
  emptiedGroups,
  failSnapshot,
  keepTaken,
  overdueSnapshots,
  readSnapshotForWork,
  removeGroup,
  removeSnapshot,
  unfinishedSnapshots,
  volumesCopying,
} from './tables-snapshot-work.ts'
import { readVolumeForWork } from './tables-work.ts'
import { volumeSpec } from './volume.ts'
import { returnVolumeKey } from './volume-key.ts'
import { keyReason } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

export async function reconcileSnapshots(parts: VpcParts, copies: Copies): Promise<void> {
  await abandonOverdue(parts)
  const snapshots = await unfinishedSnapshots(parts.database.reads, parts.region)
  const isMember = ({ phase, groupId }: Snapshot): boolean => phase === 'keyed' && groupId !== null
  const alone = snapshots.filter((snapshot) => !isMember(snapshot))
  await forEach(alone, vpcWorkParallelMax, (snapshot) => proceed(parts, copies, snapshot))
  const groups = Map.groupBy(snapshots.filter(isMember), ({ groupId }) => groupId ?? '')
  for (const [groupId, members] of groups) await proceedTogether(parts, copies, groupId, members)
  await removeEmptied(parts)
}

/** A hidden row is somebody's request, still running; one that is older than any request may be is nobody's. */
async function abandonOverdue(parts: VpcParts): Promise<void> {
  for (const { id, accountId, crn: snapshotCrn } of await overdueSnapshots(
    parts.database.reads,
    parts.region,
    overdueBefore(parts),
  )) {
    await parts.database.transaction(async (tx) => {
      if (!(await abandonSnapshot(tx, id))) return
      const reason = 'the request did not come to its end'
      await parts.outbox.append(tx, { type: 'vpc.snapshot.abandoned', accountId, snapshotCrn, reason })
    })
  }
}

/** A snapshot whose key does not open waits: its return has an event. A deleted key ends the matter. */
async function proceed(parts: VpcParts, copies: Copies, snapshot: Snapshot): Promise<void> {
  if (snapshot.phase !== 'keyed') return await remove(parts, copies, snapshot)
  const failure = keyReason('deleted')
  if (snapshot.keyStanding === 'deleted' && failure) return await giveUp(parts, snapshot, failure)
  if (snapshotStateOf(snapshot) === 'unusable') return
  const copied = { ...snapshot, waitingSince: copies.since(snapshot.id, snapshot.waitingSince) }
  if (!copies.isRunning(snapshot.id)) return copies.start(snapshot.id, () => take(parts, copied))
  if (isOverdue(parts, copied) && (await percentCopied(parts, snapshot.id)) === null) {
    await giveUp(parts, snapshot, reasons.timedOut)
  }
}

/**
 * The members of a group are taken at one moment. Those whose key does not open are waited for as long as pending may last,
 * and then the others are taken without them.
 */
async function proceedTogether(
  parts: VpcParts,
  copies: Copies,
  groupId: string,
  members: readonly Snapshot[],
): Promise<void> {
  const failure = keyReason('deleted')
  const present: Snapshot[] = []
  for (const member of members) {
    const isShut = snapshotStateOf(member) === 'unusable'
    if (member.keyStanding === 'deleted' && failure) await giveUp(parts, member, failure)
    else if (isShut && isOverdue(parts, member)) await giveUp(parts, member, reasons.timedOut)
    else if (isShut) return
    else present.push({ ...member, waitingSince: copies.since(groupId, member.waitingSince) })
  }
  if (present.length === 0) return
  if (!copies.isRunning(groupId)) return copies.start(groupId, () => takeTogether(parts, present))
  if (!present.every((member) => isOverdue(parts, member))) return
  for (const { id } of present) if ((await percentCopied(parts, id)) !== null) return
  for (const member of present) await giveUp(parts, member, reasons.timedOut)
}

const reasons = {
  refused: { code: 'snapshot_not_created', message: 'the snapshot could not be taken' },
  timedOut: { code: 'snapshot_creation_timed_out', message: 'no disk took the snapshot in time' },
} as const

const sourceGone: StatusReason = {
  code: 'snapshots_source_volume_not_found',
  message: 'the volume was deleted before the snapshot was taken',
}

async function take(parts: VpcParts, snapshot: Snapshot): Promise<void> {
  const member = await memberOf(parts, snapshot)
  if (!member) return
  const capturedAt = parts.clock.now()
  try {
    const taken = await parts.disk.createSnapshot(member.source, member.snapshot)
    await keep(parts, [{ snapshot, storedBytes: taken.storedBytes }], capturedAt)
  } catch (error) {
    await refuse(parts, [snapshot], error)
  }
}

/** All of them, or none. */
async function takeTogether(parts: VpcParts, snapshots: readonly Snapshot[]): Promise<void> {
  const members: SnapshotMember[] = []
  const present: Snapshot[] = []
  for (const snapshot of snapshots) {
    const member = await memberOf(parts, snapshot)
    if (!member) continue
    members.push(member)
    present.push(snapshot)
  }
  if (members.length === 0) return
  const capturedAt = parts.clock.now()
  try {
    const taken = await parts.disk.createSnapshots(members)
    const kept = present.map((snapshot, i) => ({ snapshot, storedBytes: taken[i]?.storedBytes ?? 0 }))
    await keep(parts, kept, capturedAt)
  } catch (error) {
    await refuse(parts, present, error)
  }
}

/** Null, and it has failed, when its volume has gone. */
async function memberOf(parts: VpcParts, snapshot: Snapshot): Promise<SnapshotMember | null> {
  const volume = await readVolumeForWork(parts.database.reads, snapshot.sourceVolume.id)
  if (volume?.wrappedDataKey) return { source: volumeSpec(volume), snapshot: snapshotSpec(snapshot) }
  await giveUp(parts, snapshot, sourceGone)
  return null
}

/** Rejects with what should be tried again. */
async function refuse(parts: VpcParts, snapshots: readonly Snapshot[], error: unknown): Promise<void> {
  let isTriedAgain = false
  for (const snapshot of snapshots) {
    const isGone = error instanceof Fault && error.code === 'not_found'
    const isAlone = snapshots.length === 1
    if (isGone && (isAlone || (await parts.disk.describeImage(snapshot.sourceVolume.id)) === null)) {
      await giveUp(parts, snapshot, sourceGone)
      continue
    }
    const failure = await failureOf(parts, snapshot, error, reasons)
    if (failure === 'key') continue
    if (!failure || isGone) {
      isTriedAgain = true
      continue
    }
    parts.log.warn({ err: error, snapshotId: snapshot.id, code: failure.code }, 'a snapshot could not be taken')
    await giveUp(parts, snapshot, failure)
  }
  if (isTriedAgain) throw error
}

interface Taken {
  readonly snapshot: Snapshot
  readonly storedBytes: number
}

async function keep(parts: VpcParts, taken: readonly Taken[], capturedAt: number): Promise<void> {
  const lost = await parts.database.transaction(async (tx) => {
    const lost: SnapshotId[] = []
    for (const { snapshot, storedBytes } of taken) {
      const now = await keepTaken(tx, snapshot.id, { storedBytes, capturedAt })
      if (now) await parts.outbox.append(tx, snapshotEvent(now))
      else lost.push(snapshot.id)
    }
    return lost
  })
  // It may have been given up and removed meanwhile: then nobody will ask for the image. One that is being deleted is
  // removed by whoever sees that this has ended.
  for (const id of lost) {
    if (!(await readSnapshotForWork(parts.database.reads, id))) await parts.disk.deleteVolume(id)
  }
}

async function giveUp(parts: VpcParts, snapshot: Snapshot, failure: StatusReason): Promise<void> {
  const { accountId, crn: snapshotCrn } = snapshot
  await parts.database.transaction(async (tx) => {
    if (!(await failSnapshot(tx, snapshot.id, failure))) return
    await parts.outbox.append(tx, { type: 'vpc.snapshot.failed', accountId, snapshotCrn, reason: failure.code })
  })
}

/**
 * In this order, as of volumes: while there is an image there is a registration, and while there is a registration there is
 * a row. Not under a copy, to it or from it.
 */
async function remove(parts: VpcParts, copies: Copies, snapshot: Snapshot): Promise<void> {
  const { id, accountId, crn: snapshotCrn, phase, groupId } = snapshot
  if (groupId !== null && copies.isRunning(groupId)) return
  if (phase !== 'deleting' && phase !== 'abandoned') return
  const copying = await volumesCopying(parts.database.reads, id)
  if (copies.isRunning(id) || copying.some((volumeId) => copies.isRunning(volumeId))) return
  if (phase === 'deleting') await parts.disk.deleteVolume(id)
  await returnVolumeKey(parts.kms, snapshot)
  await parts.database.transaction(async (tx) => {
    if (!(await removeSnapshot(tx, id, phase))) return
    if (phase === 'deleting') await parts.outbox.append(tx, { type: 'vpc.snapshot.deleted', accountId, snapshotCrn })
    else await parts.outbox.append(tx, { type: 'vpc.snapshot.refused', accountId, snapshotCrn, reason: 'abandoned' })
  })
}

/** A group that was asked for is seen together with its snapshots, in one transaction; one without any will not be. */
async function removeEmptied(parts: VpcParts): Promise<void> {
  for (const group of await emptiedGroups(parts.database.reads, parts.region)) {
    const { accountId, crn: groupCrn, phase } = group
    await parts.database.transaction(async (tx) => {
      if (!(await removeGroup(tx, group))) return
      const type = phase === 'deleting' ? 'vpc.snapshot-group.deleted' : 'vpc.snapshot-group.abandoned'
      await parts.outbox.append(tx, { type, accountId, groupCrn })
    })
  }
}
