// From bodies and queries to the image that shall be made or listed; every refusal names the field. Source: VPC API,
// "ImagePrototype", "List all images"; VPC docs, "Importing custom images" and "Creating an image from a volume".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { imageFileBytesMax, imageGb } from '#base/limits.ts'
import { parseCosUrl } from '#cos/port.ts'
import { isEncryptedQcow2, qcow2StartBytes } from '#disk/port.ts'
import type { ImageFormat } from '#disk/port.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { volumeGrant } from './attached-volume.ts'
import { idOf, nameOf } from './identity.ts'
import { imageServiceOf } from './image.ts'
import { storageRefused, wrong } from './image-faults.ts'
import type { imagePatch, imagePrototype, imageQuery } from './image-schemas.ts'
import type { ImageStatus } from './image-state.ts'
import { isSystem, systemOfStock } from './images.ts'
import { refuseCopy } from './integrity.ts'
import { checkName } from './names.ts'
import type { VpcParts } from './parts.ts'
import { refuseBetweenKeys } from './reencrypt.ts'
import { isVolumeBusy } from './snapshot-create.ts'
import { attachmentsOf } from './tables-attachments.ts'
import type { ImageFilter } from './tables-image-lists.ts'
import type { ImagePatch } from './tables-images.ts'
import { imageNames } from './tables-images.ts'
import { readVolume } from './tables-volumes.ts'
import type { AllowedUse, Volume } from './volume.ts'
import { checkKeyCrn } from './volume-key.ts'
import { parseAllowedUse } from './volume-prototype.ts'
import { statusOf } from './volume-state.ts'

export interface NewImage {
  readonly name: string | null
  readonly resourceGroupId: string | null
  /** Null for the key of the volume, or the provider's. */
  readonly keyCrn: string | null
  readonly deprecationAt: number | null
  readonly obsolescenceAt: number | null
  readonly allowedUse: AllowedUse | null
  readonly from: NewFromFile | NewFromVolume
}

interface NewFromFile {
  readonly by: 'file'
  readonly href: string
  readonly operatingSystem: string
  /** What opens it, as the client wrapped it; null for a file in the clear. */
  readonly passphrase: Uint8Array | null
}

export interface NewFromVolume {
  readonly by: 'volume'
  readonly grant: Grant<'is.volume.volume.operate'>
}

export async function parseImagePrototype(
  parts: VpcParts,
  context: Context,
  body: Static<typeof imagePrototype>,
): Promise<NewImage> {
  if (body.file && body.source_volume)
    throw wrong('file', 'file and source_volume exclude each other', 'validation_only_one')
  const moments = parseMoments(body, parts.clock.now())
  return {
    name: body.name === undefined ? null : checkImageName(body.name),
    resourceGroupId: body.resource_group?.id ?? null,
    keyCrn: body.encryption_key ? checkKeyCrn(body.encryption_key.crn) : null,
    deprecationAt: moments.deprecationAt ?? null,
    obsolescenceAt: moments.obsolescenceAt ?? null,
    allowedUse: parseAllowedUse(body.allowed_use),
    from: body.source_volume ? await fromVolume(parts, context, body) : await fromFile(parts, context, body),
  }
}

/** VPC docs, "Naming": `ibm-` is for the provider's. */
function checkImageName(name: string): string {
  if (!checkName(name).startsWith('ibm-')) return name
  throw wrong('name', 'name begins with ibm-, which is for stock images', 'validation_invalid_name')
}

async function fromFile(
  parts: VpcParts,
  context: Context,
  { file, operating_system: system, ...body }: Static<typeof imagePrototype>,
): Promise<NewFromFile> {
  if (!file) throw wrong('file', 'file or source_volume is required', 'validation_required_field')
  if (!system) throw wrong('operating_system', 'operating_system is required', 'validation_required_field')
  const operatingSystem = nameOf(system, 'operating_system')
  if (!isSystem(operatingSystem)) {
    const message = `operating system ${JSON.stringify(operatingSystem.slice(0, 64))} is not found`
    throw wrong('operating_system', message, 'validation_invalid_ref')
  }
  const { href } = file
  const { format } = parseFile(href)
  const passphrase = parsePassphrase(body, format)
  const isEncrypted = await checkFile(parts, context, href)
  if (isEncrypted && !passphrase) {
    const message = 'file.href names an encrypted image, which takes an encrypted_data_key'
    throw wrong('encrypted_data_key', message, 'cos_image_encrypted')
  }
  if (!isEncrypted && passphrase) {
    throw wrong('file.href', 'file.href names an image that is not encrypted', 'cos_image_not_encrypted')
  }
  return { by: 'file', href, operatingSystem, passphrase }
}

/** VPC docs, "Creating an encrypted custom image": a passphrase that was wrapped under the key that the image is to have. */
function parsePassphrase(
  {
    encrypted_data_key: text,
    encryption_key: key,
  }: Pick<Static<typeof imagePrototype>, 'encrypted_data_key' | 'encryption_key'>,
  format: ImageFormat,
): Uint8Array | null {
  if (text === undefined) return null
  const refuse = (message: string, reason?: string): Fault => wrong('encrypted_data_key', message, reason)
  if (!key) {
    throw wrong(
      'encryption_key',
      'encrypted_data_key takes the encryption_key that it is under',
      'validation_required_field',
    )
  }
  if (format !== 'qcow2') throw refuse('encrypted images are qcow2', 'cos_encrypted_image_not_supported')
  if (/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text) && text !== '') {
    return new Uint8Array(Buffer.from(text, 'base64'))
  }
  throw refuse('encrypted_data_key is not base64 of what the key manager wrapped', 'encrypted_data_key_invalid')
}

/** What `file.href` names, and in which form: as its name says, since what is in it may look like anything. */
export function parseFile(href: string): ReturnType<typeof parseCosUrl> & { readonly format: ImageFormat } {
  const object = parseHref(href)
  const [, extension = ''] = /\.([a-z0-9]{1,10})$/.exec(object.object) ?? []
  const format = formats.get(extension)
  if (format) return { ...object, format }
  const message = 'file.href must end with .qcow2, .vhd, .raw or .img'
  throw wrong('file.href', message, 'cos_invalid_file_extension')
}

const formats: ReadonlyMap<string, ImageFormat> = new Map([
  ['qcow2', 'qcow2'],
  ['vhd', 'vhd'],
  ['raw', 'raw'],
  ['img', 'raw'],
])

function parseHref(href: string): ReturnType<typeof parseCosUrl> {
  try {
    return parseCosUrl(href)
  } catch (cause) {
    throw new Fault('invalid', 'file.href must be cos://LOCATION/BUCKET/OBJECT', {
      reason: 'cos_scheme_uri_invalid',
      target: { type: 'field', name: 'file.href' },
      cause,
    })
  }
}

/** Whether the image service may read it and it is there, before anything is made; asked again when it is read. */
async function checkFile(parts: VpcParts, context: Context, href: string): Promise<boolean> {
  const { format, ...object } = parseFile(href)
  try {
    const found = await parts.cos.readObject({ ...object, as: imageServiceOf(context.caller.accountId) })
    const isEncrypted = format === 'qcow2' && isEncryptedQcow2(await beginningOf(found.body))
    if (found.sizeBytes <= imageFileBytesMax) return isEncrypted
  } catch (error) {
    throw storageRefused(error, 'file.href')
  }
  throw wrong('file.href', `file.href has more than ${imageFileBytesMax} bytes`, 'cos_file_too_large')
}

async function beginningOf(body: AsyncIterable<Uint8Array> & { destroy(): void }): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  let length = 0
  try {
    for await (const piece of body) {
      pieces.push(piece)
      length += piece.length
      if (length >= qcow2StartBytes) break
    }
  } finally {
    body.destroy()
  }
  return Buffer.concat(pieces)
}

async function fromVolume(
  parts: VpcParts,
  context: Context,
  body: Static<typeof imagePrototype>,
): Promise<NewFromVolume> {
  if (body.operating_system) throw wrong('operating_system', 'operating_system is that of the source_volume')
  if (body.encrypted_data_key !== undefined) throw wrong('encrypted_data_key', 'encrypted_data_key is of a file')
  const id = idOf(body.source_volume ?? {}, 'source_volume')
  return { by: 'volume', grant: await volumeGrant(parts, context, 'is.volume.volume.operate', id, 'source_volume') }
}

/**
 * VPC docs, "About creating an image from a volume": the boot volume of a stopped machine, with an operating system that is
 * known. Asked in the transaction that makes the image's row.
 */
export async function readImageSource(
  tx: Tx,
  { grant }: NewFromVolume,
): Promise<{ readonly volume: Volume; readonly operatingSystem: string }> {
  const volume = await readVolume(tx, grant)
  const refuse = (message: string, reason = 'bad_field'): Fault => wrong('source_volume', message, reason)
  if (!volume) throw refuse('source_volume is not found', 'volume_id_invalid')
  refuseCopy(volume.isAuthenticated, 'source_volume', 'making images')
  const conflict = (why: string): Fault =>
    new Fault('conflict', `volume ${volume.id} ${why}`, {
      reason: 'volume_status_not_available',
      target: { type: 'field', name: 'source_volume' },
    })
  const status = statusOf(volume)
  if (status !== 'available') throw conflict(`is ${status}, not available`)
  if (await isVolumeBusy(tx, volume)) throw conflict('is busy')
  await refuseBetweenKeys(tx, volume)
  const attachment = (await attachmentsOf(tx, [volume])).get(volume.id)
  if (attachment?.type !== 'boot' || attachment.status !== 'attached' || attachment.instance.status !== 'stopped') {
    throw conflict('is not the boot volume of a stopped instance')
  }
  if (volume.capacityGb > imageGb.max) throw refuse(`source_volume has more than ${imageGb.max} GB`)
  const operatingSystem = await systemOf(tx, volume)
  if (operatingSystem === undefined) throw refuse('source_volume has no operating system that is known')
  return { volume, operatingSystem }
}

async function systemOf(tx: Tx, { accountId, imageId }: Volume): Promise<string | undefined> {
  if (imageId === null) return undefined
  const stock = systemOfStock(imageId)
  return stock ?? (await imageNames(tx, accountId, [imageId])).get(imageId)?.operatingSystem
}

/** VPC API: both in the future, and the first before the second. Null clears. */
function parseMoments(
  body: Pick<Static<typeof imagePatch>, 'deprecation_at' | 'obsolescence_at'>,
  now: number,
): Pick<ImagePatch, 'deprecationAt' | 'obsolescenceAt'> {
  const deprecationAt = parseMoment('deprecation_at', body.deprecation_at, now)
  const obsolescenceAt = parseMoment('obsolescence_at', body.obsolescence_at, now)
  return {
    ...(deprecationAt !== undefined && { deprecationAt }),
    ...(obsolescenceAt !== undefined && { obsolescenceAt }),
  }
}

function parseMoment(name: string, text: string | null | undefined, now: number): number | null | undefined {
  if (text === undefined || text === null) return text
  const at = Date.parse(text)
  if (at > now) return at
  throw wrong(name, `${name} must be a moment in the future`)
}

/** Asked of the image as it would be. */
export function checkOrder({
  deprecationAt,
  obsolescenceAt,
}: Pick<NewImage, 'deprecationAt' | 'obsolescenceAt'>): void {
  if (deprecationAt === null || obsolescenceAt === null || deprecationAt < obsolescenceAt) return
  throw wrong('obsolescence_at', 'obsolescence_at must come after deprecation_at')
}

export function parseImagePatch(body: Static<typeof imagePatch>, now: number): ImagePatch {
  const allowedUse = parseAllowedUse(body.allowed_use)
  return {
    ...(body.name !== undefined && { name: checkImageName(body.name) }),
    ...(allowedUse && { allowedUse }),
    ...parseMoments(body, now),
  }
}

const statuses: ReadonlySet<string> = new Set<ImageStatus>([
  'available',
  'deleting',
  'deprecated',
  'failed',
  'obsolete',
  'pending',
  'unusable',
])

const isStatus = (text: string): text is ImageStatus => statuses.has(text)

/** Which of the account's own are asked for; `hasNone` where the question is about public ones only. */
export function imageFilter(query: Static<typeof imageQuery>, now: number): ImageFilter {
  const format = query.user_data_format
  const remote = query['remote.account.id']
  const hasNone =
    query.visibility === 'public' ||
    query.owner_type === 'provider' ||
    (format !== undefined && !format.split(',').includes('cloud_init')) ||
    (remote !== undefined && remote !== 'null')
  return {
    now,
    hasNone,
    name: query.name,
    resourceGroupId: query['resource_group.id'],
    statuses: query.status?.split(',').filter(isStatus),
  }
}
