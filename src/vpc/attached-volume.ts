// A volume as bodies name it for an attachment: one that there is, or one to be made. Pure but for the leave it asks for.

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { BootImage } from './boot-image.ts'
import { idOf } from './identity.ts'
import type { attachmentPrototype } from './instance-schemas.ts'
import { checkName } from './names.ts'
import type { VpcParts } from './parts.ts'
import { planSource } from './restore-source.ts'
import { locateVolume } from './tables-volumes.ts'
import type { CreateVolume } from './tables-volumes.ts'
import { targetOf } from './targets.ts'
import { leaveToCreate } from './volume-create.ts'
import { parseVolume } from './volume-prototype.ts'
import type { NewVolume } from './volume-prototype.ts'
import type { volumeOrFields } from './volume-schemas.ts'

export interface PlannedAttachment {
  readonly name: string | null
  readonly type: 'boot' | 'data'
  readonly deleteVolume: boolean
  readonly volume: ExistingVolume | WantedVolume
  /** Where in the body the volume stands. */
  readonly field: string
}

export interface ExistingVolume {
  readonly by: 'id'
  readonly grant: Grant<'is.volume.volume.operate'>
}

export interface WantedVolume {
  readonly by: 'prototype'
  readonly wanted: NewVolume
  readonly grant: CreateVolume
}

interface At {
  readonly zone: string
  readonly type: 'boot' | 'data'
  /** Where in the body it stands; empty for the body itself. */
  readonly field: string
  /** VPC API: volumes of an instance lie in its group unless they name another. */
  readonly resourceGroupId: string | null
  /** The custom image of a boot volume. */
  readonly image?: BootImage | null
}

export async function planVolumeAttachment(
  parts: VpcParts,
  context: Context,
  body: Static<typeof attachmentPrototype>,
  at: At,
): Promise<PlannedAttachment> {
  const prefix = at.field === '' ? '' : `${at.field}.`
  const deleteVolume = body.delete_volume_on_instance_delete ?? at.type === 'boot'
  return {
    name: body.name === undefined ? null : checkName(body.name, `${prefix}name`),
    type: at.type,
    deleteVolume,
    field: `${prefix}volume`,
    volume: await planVolume(parts, context, body.volume, { ...at, field: `${prefix}volume` }, deleteVolume),
  }
}

async function planVolume(
  parts: VpcParts,
  context: Context,
  body: Static<typeof volumeOrFields>,
  at: At,
  deleteVolume: boolean,
): Promise<ExistingVolume | WantedVolume> {
  const { id, crn, href, profile, ...fields } = body
  if (profile) {
    if ((id ?? crn ?? href) !== undefined) throw mixed(at.field)
    const wanted = await within(at.field, async () => {
      const source = await planSource(parts, context, fields.source_snapshot)
      return parseVolume({ ...fields, profile }, at.zone, {
        isBoot: at.type === 'boot',
        source,
        image: at.image ?? null,
      })
    })
    const grant = await within(at.field, () =>
      leaveToCreate(parts, context, wanted.resourceGroupId ?? at.resourceGroupId, wanted.source),
    )
    return { by: 'prototype', wanted, grant }
  }
  if ((id ?? crn ?? href) === undefined && Object.keys(fields).length > 0) throw noProfile(at.field)
  if (Object.keys(fields).length > 0) throw mixed(at.field)
  const grant = await volumeGrant(
    parts,
    context,
    'is.volume.volume.operate',
    idOf({ id, crn, href }, at.field),
    at.field,
  )
  // A flag that will delete the volume is a deletion asked for in advance.
  if (deleteVolume) await parts.iam.authorize(context.caller, 'is.volume.volume.delete', grant.target)
  return { by: 'id', grant }
}

/** Leave on a volume that a body points at: one that the caller's account does not have is a wrong value, 400. */
export async function volumeGrant<Action extends string>(
  parts: VpcParts,
  context: Context,
  action: Action,
  id: string,
  field = 'volume',
): Promise<Grant<Action>> {
  const { accountId } = context.caller
  const place = await locateVolume(parts.database.reads, { accountId, region: parts.region, id })
  if (!place) throw volumeUnknown(id, field)
  return await parts.iam.authorize(context.caller, action, targetOf('volume', place))
}

/** What is wrong with a part of the body is said with the part's name before it. */
export async function within<T>(field: string, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!(error instanceof Fault) || error.target?.type !== 'field') throw error
    const { code, reason, explanation, target } = error
    throw new Fault(code, error.message, {
      cause: error,
      target: { ...target, name: `${field}.${target.name}` },
      ...(reason !== undefined && { reason }),
      ...(explanation && { explanation }),
    })
  }
}

export const volumeUnknown = (id: string, field = 'volume'): Fault =>
  new Fault('invalid', `volume with id ${JSON.stringify(id.slice(0, 64))} is not found`, {
    reason: 'volume_id_invalid',
    target: { type: 'field', name: field },
  })

const mixed = (field: string): Fault =>
  new Fault('invalid', `${field} must be a volume that there is, or the description of one to be made`, {
    reason: 'validation_only_one',
    target: { type: 'field', name: field },
  })

const noProfile = (field: string): Fault =>
  new Fault('invalid', `${field}.profile is required for a volume that is to be made`, {
    reason: 'volume_profile_name_missing',
    target: { type: 'field', name: `${field}.profile` },
  })
