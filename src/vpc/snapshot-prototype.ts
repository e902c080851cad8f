// From bodies and queries to what shall be made or listed; every refusal names the field. Source: VPC API,
// "SnapshotPrototype", "List all snapshots".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import type { Context, Grant } from '#iam/port.ts'
import { idOf, nameOf } from './identity.ts'
import { imageIdOfCrn } from './images.ts'
import { checkName } from './names.ts'
import type { VpcParts } from './parts.ts'
import { checkZone } from './regions.ts'
import { sourceUnknown } from './snapshot-faults.ts'
import type { NewSnapshot } from './snapshot-create.ts'
import type { snapshotPrototype, snapshotQuery } from './snapshot-schemas.ts'
import type { SnapshotFilter } from './tables-snapshot-lists.ts'
import { locateVolume } from './tables-volumes.ts'
import { targetOf } from './targets.ts'
import { parseAllowedUse, parseUserTags } from './volume-prototype.ts'

type Identity = Parameters<typeof idOf>[0]

export type WantedSnapshot = Omit<NewSnapshot, 'volume'> & {
  readonly identity: Identity
  readonly resourceGroupId: string | null
}

export function parseSnapshotPrototype(body: Static<typeof snapshotPrototype>, region: string): WantedSnapshot {
  // VPC docs, "Cross-regional copies": the only thing that a snapshot can be made of besides a volume.
  if (body.source_snapshot) {
    const message = 'source_snapshot is not supported yet: this installation is one region, and copies go to another'
    throw new Fault('not_implemented', message, { target: { type: 'field', name: 'source_snapshot' } })
  }
  if (!body.source_volume) throw wrong('source_volume', 'is required', 'validation_required_field')
  if (body.encryption_key) throw wrong('encryption_key', 'is for copies: a snapshot has the key of its volume')
  const zones = (body.clones ?? []).map(({ zone }, i) => {
    const field = `clones.${i}.zone`
    return checkZone(region, nameOf(zone, field), field)
  })
  return {
    field: '',
    identity: body.source_volume,
    name: body.name === undefined ? null : checkName(body.name),
    namePrefix: '',
    userTags: parseUserTags(body.user_tags ?? []),
    cloneZones: [...new Set(zones)],
    allowedUse: parseAllowedUse(body.allowed_use),
    resourceGroupId: body.resource_group?.id ?? null,
  }
}

/** Leave on the volume: whoever takes a snapshot takes all that is on it, so the right to operate it is asked for. */
export async function volumeToCapture(
  parts: VpcParts,
  context: Context,
  identity: Identity,
  field: string,
): Promise<Grant<'is.volume.volume.operate'>> {
  const id = idOf(identity, field === '' ? 'source_volume' : `${field}.source_volume`)
  const at = { accountId: context.caller.accountId, region: parts.region, id }
  const place = await locateVolume(parts.database.reads, at)
  if (!place) throw sourceUnknown(id, field)
  return await parts.iam.authorize(context.caller, 'is.volume.volume.operate', targetOf('volume', place))
}

export function snapshotFilter(query: Static<typeof snapshotQuery>): SnapshotFilter {
  // Plans, copies and other regions are not served: `null` asks for what has none, which all are.
  const absent = [
    query['backup_policy_plan.id'],
    query['copies[].id'],
    query['copies[].name'],
    query['copies[].crn'],
    query['copies[].remote.region.name'],
    query['source_snapshot.id'],
    query['source_snapshot.remote.region.name'],
    query['source_volume.remote.region.name'],
    query['source_image.remote.region.name'],
  ]
  if (absent.some((value) => value !== undefined && value !== 'null')) return { hasNone: true }
  const imageCrn = query['source_image.crn']
  const ofCrn = imageCrn === undefined ? undefined : imageIdOfCrn(imageCrn)
  const imageId = query['source_image.id']
  if (ofCrn === null || (imageId !== undefined && ofCrn !== undefined && imageId !== ofCrn)) return { hasNone: true }
  return {
    name: query.name,
    tag: query.tag?.toLowerCase(),
    resourceGroupId: query['resource_group.id'],
    sourceVolumeId: query['source_volume.id'],
    sourceVolumeCrn: query['source_volume.crn'],
    sourceImageId: imageId ?? ofCrn,
    cloneZone: query['clones[].zone.name'],
    groupId: query['snapshot_consistency_group.id'],
    groupCrn: query['snapshot_consistency_group.crn'],
  }
}

const wrong = (name: string, rule: string, reason = 'bad_field'): Fault =>
  new Fault('invalid', `${name} ${rule}`, { reason, target: { type: 'field', name } })
