// SQL of custom images, for requests: by leave of IAM, and for one account. Lists are in tables-image-lists.ts, background
// work in tables-image-work.ts.

import type { Selectable } from 'kysely'
import { assert } from '#base/assert.ts'
import type { ImageId, VolumeId } from '#base/id.ts'
import type { Grant } from '#iam/port.ts'
import type { WrappedDataKey } from '#kms/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VpcImageTables } from '#store/schema/vpc-images.ts'
import { imageIdText } from './ids.ts'
import type { Image } from './image.ts'
import type { ExportGrant } from './tables-image-exports.ts'
import { grantedOne, isNameTakenIn, readGranted } from './tables-granted.ts'
import type { Leave } from './tables-granted.ts'
import { dropRequestedIn, insertNamed, keepKey } from './tables-keyed.ts'
import type { Place } from './targets.ts'
import type { AllowedUse } from './volume.ts'
import { hiddenPhases, servingStandings } from './volume-state.ts'

export type ImageRow = Selectable<VpcImageTables['vpc_image']>

export type CreateImage = Grant<'is.image.image.create'>
export type UpdateImage = Grant<'is.image.image.update'>
export type DeleteImage = Grant<'is.image.image.delete'>
export type ReadImage = Grant<'is.image.image.read' | 'is.image.image.list'> | UpdateImage | DeleteImage | ExportGrant

export function toImage(row: ImageRow): Image {
  const { failure_code: code, failure_message: message } = row
  return {
    id: row.id,
    accountId: row.account_id,
    region: row.region,
    name: row.name,
    crn: row.crn,
    resourceGroupId: row.resource_group_id,
    operatingSystem: row.operating_system,
    fileHref: row.file_href,
    sourceVolume:
      row.source_volume_id === null
        ? null
        : // Written by toRow below: the shape is known.
          { id: row.source_volume_id, ...(JSON.parse(row.source_volume ?? '{}') as { crn: string; name: string }) },
    capacityGb: row.capacity_gb === 0 ? null : row.capacity_gb,
    storedBytes: row.stored_bytes,
    fileSha256: row.file_sha256,
    keyCrn: row.key_crn,
    isProviderManaged: row.provider_managed === 1,
    wrappedDataKey: row.wrapped_data_key,
    phase: row.phase,
    keyStanding: row.key_standing,
    failure: code === null ? null : { code, message: message ?? code },
    waitingSince: row.waiting_since,
    deprecationAt: row.deprecation_at,
    obsolescenceAt: row.obsolescence_at,
    createdAt: row.created_at,
    filePassphrase: row.file_passphrase,
    // Written by toRow below: the shape is known.
    allowedUse: row.allowed_use === null ? null : (JSON.parse(row.allowed_use) as AllowedUse),
  }
}

const toRow = (image: Image): ImageRow => ({
  id: image.id,
  account_id: image.accountId,
  region: image.region,
  name: image.name,
  crn: image.crn,
  resource_group_id: image.resourceGroupId,
  operating_system: image.operatingSystem,
  file_href: image.fileHref,
  source_volume_id: image.sourceVolume?.id ?? null,
  source_volume: image.sourceVolume && JSON.stringify({ crn: image.sourceVolume.crn, name: image.sourceVolume.name }),
  capacity_gb: image.capacityGb ?? 0,
  stored_bytes: image.storedBytes,
  file_sha256: image.fileSha256,
  key_crn: image.keyCrn,
  provider_managed: image.isProviderManaged ? 1 : 0,
  key_version_id: null,
  wrapped_data_key: image.wrappedDataKey,
  phase: image.phase,
  key_standing: image.keyStanding,
  failure_code: null,
  failure_message: null,
  waiting_since: image.waitingSince,
  deprecation_at: image.deprecationAt,
  obsolescence_at: image.obsolescenceAt,
  created_at: image.createdAt,
  file_passphrase: image.filePassphrase,
  allowed_use: image.allowedUse && JSON.stringify(image.allowedUse),
})

export async function locateImage(
  reads: Reads,
  at: { readonly accountId: string; readonly region: string; readonly id: string },
): Promise<Place | null> {
  const row = await reads
    .selectFrom('vpc_image')
    .select(['id', 'account_id as accountId', 'region', 'resource_group_id as resourceGroupId'])
    .where('phase', 'not in', hiddenPhases)
    .where('id', '=', imageIdText(at.id))
    .where('account_id', '=', at.accountId)
    .where('region', '=', at.region)
    .executeTakeFirst()
  return row ?? null
}

function target(grant: Grant): { readonly accountId: string; readonly id: ImageId } {
  const { accountId, id } = grantedOne(grant, 'image')
  return { accountId, id: imageIdText(id) }
}

export async function readImage(reads: Reads, grant: ReadImage): Promise<Image | null> {
  const { accountId, id } = target(grant)
  const row = await reads
    .selectFrom('vpc_image')
    .selectAll()
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('phase', 'not in', hiddenPhases)
    .executeTakeFirst()
  return row ? toImage(row) : null
}

/** Those of the granted images that are still there, in the order of the leave. */
export const readImages = (reads: Reads, leave: Leave<ReadImage['action']>): Promise<Image[]> =>
  readGranted(leave, 'image', async (accountId, ids) => {
    const rows = await reads
      .selectFrom('vpc_image')
      .selectAll()
      .where('account_id', '=', accountId)
      .where('id', 'in', ids.map(imageIdText))
      .where('phase', 'not in', hiddenPhases)
      .execute()
    return rows.map(toImage)
  })

/** All that have a row count toward the quota. */
export async function countImages(tx: Tx, grant: CreateImage, region: string): Promise<number> {
  const row = await tx
    .selectFrom('vpc_image')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('account_id', '=', grant.target.accountId)
    .where('region', '=', region)
    .executeTakeFirst()
  return Number(row?.count ?? 0)
}

/** False when the name is taken: the unique index decides. */
export async function insertImage(tx: Tx, grant: CreateImage, image: Image): Promise<boolean> {
  assert(image.accountId === grant.target.accountId, 'an image is made in the account of its grant')
  assert(image.phase === 'requested' && image.wrappedDataKey === null, 'a new image has no key yet')
  return await insertNamed(tx, 'vpc_image', toRow(image))
}

/** From here on readers see the image. Null when it was given up meanwhile. */
export async function keepImageKey(
  tx: Tx,
  grant: CreateImage,
  id: ImageId,
  key: WrappedDataKey,
): Promise<Image | null> {
  const row = await keepKey(tx, 'vpc_image', grant, id, key)
  return row ? toImage(row) : null
}

/** Takes back what was requested and has no key. False when it was given up meanwhile. */
export async function dropRequestedImage(tx: Tx, grant: CreateImage, id: ImageId): Promise<boolean> {
  return await dropRequestedIn(tx, 'vpc_image', grant, id)
}

export interface ImagePatch {
  readonly name?: string
  readonly deprecationAt?: number | null
  readonly obsolescenceAt?: number | null
  readonly allowedUse?: AllowedUse
}

/** Null when the image is on its way out. */
export async function updateImage(tx: Tx, grant: UpdateImage, patch: ImagePatch): Promise<Image | null> {
  const { accountId, id } = target(grant)
  const { name, deprecationAt, obsolescenceAt, allowedUse } = patch
  const row = await tx
    .updateTable('vpc_image')
    .set({
      id,
      ...(name !== undefined && { name }),
      ...(deprecationAt !== undefined && { deprecation_at: deprecationAt }),
      ...(obsolescenceAt !== undefined && { obsolescence_at: obsolescenceAt }),
      ...(allowedUse !== undefined && { allowed_use: JSON.stringify(allowedUse) }),
    })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toImage(row) : null
}

export const isImageNameTaken = (tx: Tx, image: Image, name: string): Promise<boolean> =>
  isNameTakenIn(tx, 'vpc_image', image, name)

/** Whether a volume is being made of it; one whose own key is away does not count, and will fail. */
export async function isImageBeingCopied(tx: Tx, id: ImageId): Promise<boolean> {
  const row = await tx
    .selectFrom('vpc_volume')
    .select('id')
    .where('image_id', '=', id)
    .where('source_snapshot_id', 'is', null)
    .where('phase', 'in', ['requested', 'keyed'])
    .where('key_standing', 'in', servingStandings)
    .executeTakeFirst()
  return row !== undefined
}

/** Those of the volumes that an image is being made of: nobody may write them meanwhile. */
export async function volumesBecomingImages(reads: Reads, ids: readonly VolumeId[]): Promise<readonly VolumeId[]> {
  if (ids.length === 0) return []
  const rows = await reads
    .selectFrom('vpc_image')
    .select('source_volume_id')
    .where('source_volume_id', 'in', ids)
    .where('phase', 'in', ['requested', 'keyed'])
    .where('key_standing', 'in', servingStandings)
    .execute()
  return rows.flatMap((row) => row.source_volume_id ?? [])
}

/** Null when it is on its way out already. */
export async function requestImageDeletion(tx: Tx, grant: DeleteImage): Promise<Image | null> {
  const { accountId, id } = target(grant)
  const row = await tx
    .updateTable('vpc_image')
    .set({ phase: 'deleting' })
    .where('id', '=', id)
    .where('account_id', '=', accountId)
    .where('phase', 'in', ['keyed', 'formatted', 'failed'])
    .returningAll()
    .executeTakeFirst()
  return row ? toImage(row) : null
}

export interface NamedImage {
  readonly id: ImageId
  readonly crn: string
  readonly name: string
  readonly operatingSystem: string
}

/** What these of the account's own are called now, for who refers to them. One that is missing has gone. */
export async function imageNames(
  reads: Reads,
  accountId: string,
  ids: readonly string[],
): Promise<ReadonlyMap<string, NamedImage>> {
  if (ids.length === 0) return new Map()
  const rows = await reads
    .selectFrom('vpc_image')
    .select(['id', 'crn', 'name', 'operating_system as operatingSystem'])
    .where('account_id', '=', accountId)
    .where('id', 'in', ids.map(imageIdText))
    .where('phase', 'not in', hiddenPhases)
    .execute()
  return new Map(rows.map((row) => [row.id as string, row]))
}
