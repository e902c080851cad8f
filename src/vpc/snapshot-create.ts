// How snapshots come to be: one, or several of a consistency group together. Each step leaves something that the next pass of
// reconcile-snapshots.ts understands, so the process may stop between any two lines:
//
//   1. the caller may make snapshots here and read the volumes whole, and what is asked for makes sense
//   2. rows hold the names, hidden: phase `requested`; from here on the volumes are busy
//   3. for each, the key manager wraps a data key of its own under the volume's root key and registers the snapshot on it
//   4. the rows keep the wrapped keys, readers see the snapshots, all at once: phase `keyed`, state pending; the request is
//      answered
//   5. a disk takes each, in the background
//   6. phase `formatted`, state stable
//
// No registration outlives its row: the row comes before and goes after.

import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import { snapshotSourceGbMax } from '#base/limits.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { WrappedDataKey } from '#kms/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import { makeSnapshotId, vpcCrn } from './ids.ts'
import { refuseCopy } from './integrity.ts'
import { makeName, nameDrawsMax } from './names.ts'
import type { VpcParts } from './parts.ts'
import { checkQuota } from './quotas.ts'
import { refuseBetweenKeys } from './reencrypt.ts'
import type { Snapshot, SnapshotGroup } from './snapshot.ts'
import {
  below,
  keyInvalid,
  nameTaken,
  sourceUnknown,
  notBootable,
  busy,
  conflict,
  tooLarge,
  givenUp,
} from './snapshot-faults.ts'
import { attachmentsOf } from './tables-attachments.ts'
import { insertClone, insertGroup, showGroup } from './tables-snapshot-groups.ts'
import type { CreateGroup } from './tables-snapshot-groups.ts'
import { abandonSnapshot } from './tables-snapshot-work.ts'
import {
  busyVolumes,
  countOfVolume,
  dropRequestedSnapshot,
  insertSnapshot,
  keepSnapshotKey,
} from './tables-snapshots.ts'
import type { CreateSnapshot } from './tables-snapshots.ts'
import { readVolume } from './tables-volumes.ts'
import type { AllowedUse, Volume } from './volume.ts'
import { KeyRefused, requestVolumeKey } from './volume-key.ts'
import { findProfile } from './volume-profiles.ts'
import { keyReason, mayInStatus, statusOf } from './volume-state.ts'

export interface NewSnapshot {
  readonly volume: Grant<'is.volume.volume.operate'>
  /** Where in the body it stands; empty for the body itself. */
  readonly field: string
  readonly name: string | null
  /** What a name that is drawn begins with. */
  readonly namePrefix: string
  readonly userTags: readonly string[]
  readonly cloneZones: readonly string[]
  readonly allowedUse: AllowedUse | null
}

/** Leave to make snapshots in a resource group, and the consistency group that they are made for. */
export interface Leave {
  readonly grant: CreateSnapshot
  readonly group: { readonly grant: CreateGroup; readonly group: SnapshotGroup } | null
}

/** Steps 2 to 4. */
export async function createSnapshots(
  parts: VpcParts,
  context: Context,
  wanted: readonly NewSnapshot[],
  leave: Leave,
): Promise<readonly Snapshot[]> {
  const requested = await request(parts, context, wanted, leave)
  const keys: WrappedDataKey[] = []
  try {
    for (const snapshot of requested) keys.push(await requestVolumeKey(parts.kms, snapshot))
    return await keep(parts, context, leave, requested, keys)
  } catch (error) {
    await giveBack(parts, context, leave, { requested, keyed: keys.length, error })
    throw error instanceof KeyRefused ? keyInvalid(error, wanted[keys.length]?.field ?? '') : error
  }
}

/** Step 2: all rows or none. */
function request(
  parts: VpcParts,
  context: Context,
  wanted: readonly NewSnapshot[],
  leave: Leave,
): Promise<readonly Snapshot[]> {
  const { accountId } = leave.grant.target
  const initiatorId = context.caller.iamId
  return parts.database.transaction(async (tx) => {
    if (leave.group) {
      const { grant, group } = leave.group
      if (!(await insertGroup(tx, grant, group))) throw nameTaken(group.name, 'name')
      await parts.outbox.append(tx, {
        type: 'vpc.snapshot-group.requested',
        accountId,
        initiatorId,
        groupCrn: group.crn,
      })
    }
    const snapshots: Snapshot[] = []
    for (const one of wanted) {
      const volume = await readSource(parts, tx, one)
      const snapshot = await insertNamed(parts, tx, leave, one, volume)
      snapshots.push(snapshot)
      const { crn: snapshotCrn, keyCrn } = snapshot
      const facts = { accountId, initiatorId, snapshotCrn, volumeCrn: volume.crn, keyCrn }
      await parts.outbox.append(tx, { type: 'vpc.snapshot.requested', ...facts })
    }
    if (leave.group) await checkOneInstance(tx, snapshots)
    return snapshots
  })
}

/**
 * The volume if a snapshot can be taken of it at this moment. VPC docs, "Creating snapshots": it is available, of the first
 * generation also attached to a running instance and not too large, and no other snapshot of it is being taken.
 */
async function readSource(parts: VpcParts, tx: Tx, { volume: grant, field }: NewSnapshot): Promise<Volume> {
  const volume = await readVolume(tx, grant)
  if (!volume) throw sourceUnknown(grant.target.resource ?? '', field)
  refuseCopy(volume.isAuthenticated, below(field, 'source_volume'), 'taking snapshots')
  const status = statusOf(volume)
  if (!mayInStatus('snapshot', status)) {
    const reason = status === 'unusable' ? keyReason(volume.keyStanding) : null
    const why = reason ? `: ${reason.message} (${reason.code})` : ''
    throw conflict('volume_status_not_available', `volume ${volume.id} is ${status}, not available${why}`, field)
  }
  if (await isVolumeBusy(tx, volume)) throw busy(volume)
  await refuseBetweenKeys(tx, volume)
  const generation = findProfile(volume.profile)?.storageGeneration ?? 1
  if (generation === 1) {
    const attachment = (await attachmentsOf(tx, [volume])).get(volume.id)
    if (attachment?.status !== 'attached' || attachment.instance.status !== 'running') {
      const message = `volume ${volume.id} is not attached to a running instance`
      throw conflict('snapshots_source_volume_not_attached', message, field)
    }
    if (volume.capacityGb > snapshotSourceGbMax) throw tooLarge(volume, field)
  }
  const quota = generation === 1 ? 'snapshots_per_volume' : 'snapshots_per_sdp_volume'
  checkQuota(parts, quota, await countOfVolume(tx, volume.id))
  return volume
}

/** VPC docs, "Consistency groups": of volumes that are attached to one instance, each of them once. */
async function checkOneInstance(tx: Tx, snapshots: readonly Snapshot[]): Promise<void> {
  const ids = snapshots.map(({ sourceVolume }) => sourceVolume)
  const attachments = await attachmentsOf(tx, ids)
  const instances = ids.map(({ id }) => attachments.get(id)?.instance.id)
  const odd = instances.findIndex((instance) => instance === undefined || instance !== instances[0])
  if (odd < 0) return
  throw new Fault('invalid', 'the volumes of a consistency group must be attached to one instance', {
    reason: 'bad_field',
    target: { type: 'field', name: `snapshots.${odd}.source_volume` },
  })
}

export const isVolumeBusy = async (reads: Reads, { id }: Pick<Volume, 'id'>): Promise<boolean> =>
  (await busyVolumes(reads, [id])).has(id)

/** A name that was drawn and is taken is drawn again; one that was asked for and is taken is refused. */
async function insertNamed(
  parts: VpcParts,
  tx: Tx,
  leave: Leave,
  wanted: NewSnapshot,
  volume: Volume,
): Promise<Snapshot> {
  for (let draw = 0; draw < nameDrawsMax; draw++) {
    const name = wanted.name ?? `${wanted.namePrefix}${makeName(parts.random)}`
    const snapshot = draft(parts, leave, wanted, volume, name)
    if (await insertSnapshot(tx, leave.grant, snapshot)) {
      const { id: snapshotId, createdAt } = snapshot
      for (const zone of wanted.cloneZones) await insertClone(tx, leave.grant, { snapshotId, zone, createdAt })
      return snapshot
    }
    if (wanted.name !== null) throw nameTaken(name, below(wanted.field, 'name'))
  }
  throw new Fault('unavailable', 'no free name was found for the snapshot')
}

function draft(parts: VpcParts, leave: Leave, wanted: NewSnapshot, volume: Volume, name: string): Snapshot {
  const { accountId, resourceGroupId } = leave.grant.target
  assert(resourceGroupId !== undefined, 'a snapshot is made in a resource group')
  if (wanted.allowedUse && volume.imageId === null) throw notBootable(wanted.field)
  const now = parts.clock.now()
  const id = makeSnapshotId(parts.random, parts.region)
  return {
    id,
    accountId,
    region: parts.region,
    name,
    crn: vpcCrn('snapshot', { accountId, location: parts.region }, id),
    resourceGroupId,
    sourceVolume: { id: volume.id, crn: volume.crn, name: volume.name },
    storageGeneration: findProfile(volume.profile)?.storageGeneration ?? 1,
    capacityGb: volume.capacityGb,
    storedBytes: null,
    userTags: wanted.userTags,
    keyCrn: volume.keyCrn,
    isProviderManaged: volume.isProviderManaged,
    wrappedDataKey: null,
    phase: 'requested',
    keyStanding: 'usable',
    waitingSince: now,
    imageId: volume.imageId,
    allowedUse: wanted.allowedUse ?? volume.allowedUse,
    groupId: leave.group?.group.id ?? null,
    capturedAt: null,
    revision: 1,
    createdAt: now,
  }
}

/** Step 4: all of them, or none where one was given up meanwhile. */
async function keep(
  parts: VpcParts,
  context: Context,
  leave: Leave,
  requested: readonly Snapshot[],
  keys: readonly WrappedDataKey[],
): Promise<readonly Snapshot[]> {
  const initiatorId = context.caller.iamId
  return await parts.database.transaction(async (tx) => {
    const kept: Snapshot[] = []
    for (const [i, { id }] of requested.entries()) {
      const key = keys[i]
      const now = key && (await keepSnapshotKey(tx, leave.grant, id, key))
      if (!now) throw givenUp()
      kept.push(now)
      const { accountId, crn: snapshotCrn, keyCrn, sourceVolume } = now
      const facts = { accountId, initiatorId, snapshotCrn, volumeCrn: sourceVolume.crn, keyCrn }
      await parts.outbox.append(tx, { type: 'vpc.snapshot.created', ...facts })
    }
    if (leave.group) {
      const { grant, group } = leave.group
      if (!(await showGroup(tx, grant, group.id))) throw givenUp()
      const facts = { accountId: group.accountId, initiatorId, groupCrn: group.crn }
      await parts.outbox.append(tx, { type: 'vpc.snapshot-group.created', ...facts })
    }
    return kept
  })
}

/** Nothing that was asked for is seen. What certainly has no key goes at once, the rest when its traces are gone. */
async function giveBack(
  parts: VpcParts,
  context: Context,
  leave: Leave,
  given: { readonly requested: readonly Snapshot[]; readonly keyed: number; readonly error: unknown },
): Promise<void> {
  const initiatorId = context.caller.iamId
  await parts.database.transaction(async (tx) => {
    for (const [i, { id, accountId, crn: snapshotCrn }] of given.requested.entries()) {
      const isWithoutKey = i > given.keyed || (i === given.keyed && given.error instanceof KeyRefused)
      if (isWithoutKey && (await dropRequestedSnapshot(tx, leave.grant, id))) {
        const reason = given.error instanceof Fault ? (given.error.reason ?? given.error.code) : 'unavailable'
        await parts.outbox.append(tx, { type: 'vpc.snapshot.refused', accountId, initiatorId, snapshotCrn, reason })
      } else if (await abandonSnapshot(tx, id)) {
        const reason = 'the request was given up'
        await parts.outbox.append(tx, { type: 'vpc.snapshot.abandoned', accountId, initiatorId, snapshotCrn, reason })
      }
    }
  })
}
