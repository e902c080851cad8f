// How a volume comes to be. Each step leaves something that the next pass of reconcile-volumes.ts understands, so the
// process may stop between any two lines:
//
//   1. the caller may create volumes here, and what is asked for makes sense
//   2. a row holds the name, hidden: phase `requested`
//   3. the key manager wraps a data key and registers the volume on the root key, in one step of its own
//   4. the row keeps the wrapped key, readers see the volume: phase `keyed`, status pending; the request is answered
//   5. a disk formats the image, or copies it from a snapshot's or a custom image's, in the background
//   6. phase `formatted`, status available
//
// No registration outlives its row: the row comes before and goes after.

import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import type { InstanceId } from '#base/id.ts'
import type { Context } from '#iam/port.ts'
import type { WrappedDataKey } from '#kms/port.ts'
import type { Tx } from '#store/database.ts'
import { claimImage } from './boot-image.ts'
import { groupForNew } from './groups.ts'
import { makeVolumeId, vpcCrn } from './ids.ts'
import { asksForIntegrity } from './integrity.ts'
import { makeName, nameDrawsMax } from './names.ts'
import type { VpcParts } from './parts.ts'
import { checkQuota } from './quotas.ts'
import { checkRestorable, unknown } from './restore-source.ts'
import type { RestoreSource } from './restore-source.ts'
import { takesVolumes } from './tables-instances.ts'
import { readSnapshot } from './tables-snapshots.ts'
import { countVolumes, dropRequested, insertVolume, keepDataKey } from './tables-volumes.ts'
import type { CreateVolume } from './tables-volumes.ts'
import { markAbandoned } from './tables-work.ts'
import { newTarget } from './targets.ts'
import { blockStorageOf } from './volume.ts'
import type { Volume } from './volume.ts'
import { KeyRefused, requestVolumeKey, sizeOf } from './volume-key.ts'
import type { NewVolume } from './volume-prototype.ts'

export async function createVolume(parts: VpcParts, context: Context, wanted: NewVolume): Promise<Volume> {
  return await makeVolume(
    parts,
    context,
    wanted,
    await leaveToCreate(parts, context, wanted.resourceGroupId, wanted.source),
  )
}

/** Step 1. To take over what is another account's is a right of its own. */
export async function leaveToCreate(
  parts: VpcParts,
  context: Context,
  groupId: string | null,
  source: RestoreSource | null,
): Promise<CreateVolume> {
  const { accountId } = context.caller
  const group = await groupForNew(parts.resources, 'volume', accountId, groupId)
  const place = { accountId, region: parts.region, resourceGroupId: group.id }
  const target = newTarget('volume', place)
  if (source?.isRemote) await parts.iam.authorize(context.caller, 'is.volume.volume.remote-restore', target)
  return await parts.iam.authorize(context.caller, 'is.volume.volume.create', target)
}

/** The instance that a volume is made for, as a part of it; and the image that makes it a boot volume. */
export interface Purpose {
  readonly instanceId: InstanceId
  readonly imageId: string | null
}

/** Steps 2 to 4. */
export async function makeVolume(
  parts: VpcParts,
  context: Context,
  wanted: NewVolume,
  grant: CreateVolume,
  purpose: Purpose | null = null,
): Promise<Volume> {
  const keyCrn = wanted.keyCrn ?? (await parts.kms.providerKey(blockStorageOf(grant.target.accountId), parts.region))
  const volume = await request(parts, context, grant, { wanted, keyCrn, purpose })
  const key = await keyOrNothing(parts, context, grant, volume)
  return await keep(parts, context, grant, volume, key)
}

/** Step 2. A name that was drawn and is taken is drawn again; one that was asked for and is taken is refused. */
async function request(
  parts: VpcParts,
  context: Context,
  grant: CreateVolume,
  plan: Omit<Plan, 'name'>,
): Promise<Volume> {
  for (let draw = 0; draw < nameDrawsMax; draw++) {
    const name = plan.wanted.name ?? makeName(parts.random)
    const volume = draft(parts, grant, { ...plan, name })
    if (await insert(parts, context, grant, plan, volume)) return volume
    if (plan.wanted.name !== null) throw nameTaken(name)
  }
  throw new Fault('unavailable', 'no free name was found for the volume')
}

interface Plan {
  readonly wanted: NewVolume
  readonly name: string
  readonly keyCrn: string
  readonly purpose: Purpose | null
}

function draft(parts: VpcParts, grant: CreateVolume, plan: Plan): Volume {
  const { wanted, keyCrn, purpose } = plan
  const snapshot = wanted.source?.snapshot ?? null
  const { accountId, resourceGroupId } = grant.target
  assert(resourceGroupId !== undefined, 'a volume is made in a resource group')
  const now = parts.clock.now()
  const id = makeVolumeId(parts.random, parts.region)
  return {
    id,
    accountId,
    region: parts.region,
    zone: wanted.zone,
    name: plan.name,
    crn: vpcCrn('volume', { accountId, location: wanted.zone }, id),
    resourceGroupId,
    profile: wanted.profile,
    capacityGb: wanted.capacityGb,
    iops: wanted.iops,
    bandwidthMbps: wanted.bandwidthMbps,
    userTags: wanted.userTags,
    keyCrn,
    isProviderManaged: wanted.keyCrn === null,
    wrappedDataKey: null,
    phase: 'requested',
    keyStanding: 'usable',
    failure: null,
    waitingSince: now,
    newer: null,
    madeFor: purpose?.instanceId ?? null,
    imageId: purpose?.imageId ?? snapshot?.imageId ?? null,
    allowedUse: wanted.allowedUse ?? snapshot?.allowedUse ?? null,
    source: snapshot && { id: snapshot.id, crn: snapshot.crn, name: snapshot.name },
    isAuthenticated: asksForIntegrity(wanted.userTags),
    damage: null,
    revision: 1,
    createdAt: now,
  }
}

function insert(
  parts: VpcParts,
  context: Context,
  grant: CreateVolume,
  plan: Omit<Plan, 'name'>,
  volume: Volume,
): Promise<boolean> {
  const { accountId, crn: volumeCrn, keyCrn } = volume
  return parts.database.transaction(async (tx) => {
    checkQuota(parts, 'volumes', await countVolumes(tx, grant, parts.region))
    // An instance that was given up has been cleared away already: nothing more may be made for it.
    if (volume.madeFor !== null && !(await takesVolumes(tx, volume.madeFor))) throw givenUp()
    if (!(await insertVolume(tx, grant, volume))) return false
    if (plan.wanted.source) await claimSource(parts, tx, plan.wanted.source, volume)
    if (plan.wanted.image) await claimImage(tx, plan.wanted.image, parts.clock)
    const initiatorId = context.caller.iamId
    await parts.outbox.append(tx, { type: 'vpc.volume.requested', accountId, initiatorId, volumeCrn, keyCrn })
    return true
  })
}

/** From here on the snapshot is being restored, and stays; and an owner in another account is told. */
async function claimSource(parts: VpcParts, tx: Tx, source: RestoreSource, volume: Volume): Promise<void> {
  const snapshot = await readSnapshot(tx, source.grant)
  if (!snapshot) throw unknown(source.snapshot.id)
  checkRestorable(snapshot)
  if (!source.isRemote) return
  const { accountId, crn: snapshotCrn } = snapshot
  const facts = { accountId, snapshotCrn, volumeCrn: volume.crn, subjectAccountId: volume.accountId }
  await parts.outbox.append(tx, { type: 'vpc.snapshot.restored-remotely', ...facts })
}

/** Step 3. After a refusal nothing is left; after any other failure the row stays hidden until its traces are gone. */
async function keyOrNothing(
  parts: VpcParts,
  context: Context,
  grant: CreateVolume,
  volume: Volume,
): Promise<WrappedDataKey> {
  const { accountId, crn: volumeCrn } = volume
  const initiatorId = context.caller.iamId
  try {
    return await requestVolumeKey(parts.kms, volume, sizeOf(volume))
  } catch (error) {
    await parts.database.transaction(async (tx) => {
      if (error instanceof KeyRefused) {
        const reason = error.reason ?? error.code
        if (!(await dropRequested(tx, grant, volume.id))) return
        await parts.outbox.append(tx, { type: 'vpc.volume.refused', accountId, initiatorId, volumeCrn, reason })
      } else if (await markAbandoned(tx, volume.id)) {
        const reason = 'the key manager did not answer'
        await parts.outbox.append(tx, { type: 'vpc.volume.abandoned', accountId, initiatorId, volumeCrn, reason })
      }
    })
    throw error
  }
}

/** Step 4. */
async function keep(
  parts: VpcParts,
  context: Context,
  grant: CreateVolume,
  volume: Volume,
  key: WrappedDataKey,
): Promise<Volume> {
  const { accountId, crn: volumeCrn } = volume
  const kept = await parts.database.transaction(async (tx) => {
    const now = await keepDataKey(tx, grant, volume.id, key)
    const initiatorId = context.caller.iamId
    const facts = { accountId, initiatorId, volumeCrn, keyCrn: key.keyCrn }
    if (now) await parts.outbox.append(tx, { type: 'vpc.volume.created', ...facts })
    return now
  })
  if (kept) return kept
  // The request took so long that it was given up. What the key manager has just registered goes again, and if this
  // line is not reached the sweep of registrations does the same.
  await parts.kms.unregister({ keyCrn: key.keyCrn, resourceCrn: volumeCrn, as: blockStorageOf(accountId) })
  throw new Fault('unavailable', 'the key manager answered too late: the volume was given up')
}

export const nameTaken = (name: string): Fault =>
  new Fault('invalid', `Volume with name "${name}" already exists`, {
    reason: 'volume_name_duplicate',
    target: { type: 'field', name: 'name' },
  })

export const givenUp = (): Fault => new Fault('unavailable', 'making the instance took too long: it was given up')
