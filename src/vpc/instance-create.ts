// How an instance comes to be, together with its volumes. Each step leaves something that the next pass of the
// reconcilers understands, so the process may stop between any two lines:
//
//   1. what is asked for makes sense, and the caller has leave on all of it (instance-prototype.ts)
//   2. a row holds the name, hidden: status `assembling`; with it the network interfaces and their addresses
//   3. each volume that is to be made gets its key (volume-create.ts), hidden and marked as made for the instance
//   4. the volumes become the instance's, the others are attached, and all of it is seen at once: status starting, or
//      running where there is nothing to wait for
//   5. disks format and serve, in the background; with the last of them the status is running (reconcile-instances.ts)
//
// What fails before step 4 takes everything of steps 2 and 3 back (discard.ts); a process that stops there leaves that to
// the sweep.

import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import { attach, readAttachable } from './attach.ts'
import { within } from './attached-volume.ts'
import { abandonInstance } from './discard.ts'
import { makeInstanceId, vpcCrn } from './ids.ts'
import type { Instance } from './instance.ts'
import { writeInterface } from './instance-interfaces.ts'
import type { NewInstance } from './instance-prototype.ts'
import { makeName, nameDrawsMax } from './names.ts'
import type { VpcParts } from './parts.ts'
import { checkQuota } from './quotas.ts'
import { completeInstance, countInstances, insertInstance } from './tables-instances.ts'
import { claimVolumes } from './tables-volumes.ts'
import type { Volume } from './volume.ts'
import { givenUp, makeVolume } from './volume-create.ts'

export async function createInstance(parts: VpcParts, context: Context, wanted: NewInstance): Promise<Instance> {
  const instance = await request(parts, context, wanted)
  try {
    return await complete(parts, context, wanted, instance, await makeVolumes(parts, context, wanted, instance))
  } catch (error) {
    await abandonInstance(parts, instance, 'the request was refused')
    throw error
  }
}

/** Step 2. */
async function request(parts: VpcParts, context: Context, wanted: NewInstance): Promise<Instance> {
  for (let draw = 0; draw < nameDrawsMax; draw++) {
    const instance = draft(parts, wanted)
    if (await insert(parts, context, wanted, instance)) return instance
    if (wanted.name !== null) throw instanceNameTaken(wanted.name)
  }
  throw new Fault('unavailable', 'no free name was found for the instance')
}

function insert(parts: VpcParts, context: Context, wanted: NewInstance, instance: Instance): Promise<boolean> {
  const { grant } = wanted
  const { accountId, crn: instanceCrn } = instance
  return parts.database.transaction(async (tx) => {
    checkQuota(parts, 'instances', await countInstances(tx, grant, parts.region))
    if (!(await insertInstance(tx, grant, instance))) return false
    for (const planned of wanted.interfaces) await writeInterface(parts, tx, context, grant, planned, instance)
    const initiatorId = context.caller.iamId
    await parts.outbox.append(tx, { type: 'vpc.instance.requested', accountId, initiatorId, instanceCrn })
    return true
  })
}

function draft(parts: VpcParts, wanted: NewInstance): Instance {
  const { accountId } = wanted.grant.target
  const id = makeInstanceId(parts.random, wanted.zone)
  const { zone, profile, vpcId, imageId, settings, resourceGroupId } = wanted
  return {
    id,
    accountId,
    region: parts.region,
    zone,
    name: wanted.name ?? makeName(parts.random),
    crn: vpcCrn('instance', { accountId, location: zone }, id),
    resourceGroupId,
    profile,
    status: 'assembling',
    vpcId,
    imageId,
    settings,
    statusReason: null,
    revision: 1,
    createdAt: parts.clock.now(),
  }
}

/** Step 3: one volume for each attachment that describes one, in their order. */
async function makeVolumes(
  parts: VpcParts,
  context: Context,
  wanted: NewInstance,
  instance: Instance,
): Promise<readonly (Volume | null)[]> {
  const volumes: (Volume | null)[] = []
  for (const { volume, type, field } of wanted.attachments) {
    const purpose = { instanceId: instance.id, imageId: type === 'boot' ? instance.imageId : null }
    if (volume.by === 'id') volumes.push(null)
    else volumes.push(await within(field, () => makeVolume(parts, context, volume.wanted, volume.grant, purpose)))
  }
  return volumes
}

/** Step 4. */
async function complete(
  parts: VpcParts,
  context: Context,
  wanted: NewInstance,
  instance: Instance,
  made: readonly (Volume | null)[],
): Promise<Instance> {
  const { grant, attachments } = wanted
  return await parts.database.transaction(async (tx) => {
    const now = await completeInstance(tx, grant, instance.id, attachments.length > 0 ? 'starting' : 'running')
    if (!now) throw givenUp()
    const ids = made.flatMap((volume) => volume?.id ?? [])
    const claimed = await claimVolumes(tx, grant, instance.id, ids)
    if (!claimed) throw givenUp()
    for (const [i, { volume: planned, ...rest }] of attachments.entries()) {
      const own = claimed.find(({ id }) => id === made[i]?.id)
      const volume = planned.by === 'id' ? await readAttachable(tx, planned) : own
      if (!volume) throw givenUp()
      await attach(parts, tx, context, grant, { ...rest, instance: now, volume })
    }
    const { accountId, crn: instanceCrn } = now
    const initiatorId = context.caller.iamId
    await parts.outbox.append(tx, { type: 'vpc.instance.created', accountId, initiatorId, instanceCrn })
    return now
  })
}

export const instanceNameTaken = (name: string): Fault =>
  new Fault('invalid', `Instance with name "${name}" already exists`, {
    reason: 'instance_name_exists',
    target: { type: 'field', name: 'name' },
  })
