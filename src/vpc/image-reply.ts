// Custom images as clients see them, and as others refer to them. Source: VPC API, "Image". Pure.

import { rfc3339 } from '#base/clock.ts'
import { groupReference } from './groups.ts'
import type { Image } from './image.ts'
import { imageStatusOf } from './image-state.ts'
import type { ImageStatus } from './image-state.ts'
import { imageReference, viewOfSystem } from './images.ts'
import { deletedReference, volumeHref } from './references.ts'
import type { NamedImage } from './tables-images.ts'
import { bytesPerGb } from './volume.ts'
import { keyReason } from './volume-state.ts'

/** What an image shows that lies elsewhere. */
export interface ImageSurroundings {
  readonly now: number
  readonly groupNames: ReadonlyMap<string, string>
  /** What its volume is called now; undefined where it has gone. */
  readonly volumeName: string | undefined
  /** While it is being made: whether anything of it has come. */
  readonly hasBegun: boolean
}

export const imageReferenceOf = (
  base: string,
  { id, crn, name }: { readonly id: string; readonly crn: string; readonly name: string },
) => ({
  crn,
  href: `${base}/v1/images/${id}`,
  id,
  name,
  resource_type: 'image' as const,
})

/** Of whatever was made of it: a stock image, or one of the account's own; one that has gone is not shown. */
export function referenceToImage(
  base: string,
  region: string,
  id: string | null,
  own: ReadonlyMap<string, NamedImage>,
): ReturnType<typeof imageReferenceOf> | undefined {
  if (id === null) return undefined
  const named = own.get(id)
  return named ? imageReferenceOf(base, named) : imageReference(base, region, id)
}

export function imageView(base: string, image: Image, around: ImageSurroundings) {
  const status = imageStatusOf(image, around.now)
  const [system] = viewOfSystem(base, image.operatingSystem)
  if (!system) throw new Error('an image has an operating system of the list')
  const { capacityGb, storedBytes, fileSha256, deprecationAt, obsolescenceAt } = image
  return {
    ...imageReferenceOf(base, image),
    ...(image.allowedUse && { allowed_use: { ...image.allowedUse } }),
    catalog_offering: { managed: false },
    created_at: rfc3339(image.createdAt),
    ...(deprecationAt !== null && { deprecation_at: rfc3339(deprecationAt) }),
    ...(image.isProviderManaged
      ? { encryption: 'none' as const }
      : { encryption: 'user_managed' as const, encryption_key: { crn: image.keyCrn } }),
    file: {
      ...(fileSha256 !== null && { checksums: { sha256: fileSha256 } }),
      // VPC API, `size`: in gigabytes, rounded up.
      ...(storedBytes !== null && { size: Math.max(1, Math.ceil(storedBytes / bytesPerGb)) }),
    },
    ...(capacityGb !== null && { minimum_provisioned_size: capacityGb }),
    ...(obsolescenceAt !== null && { obsolescence_at: rfc3339(obsolescenceAt) }),
    operating_system: system,
    resource_group: groupReference(base, image.resourceGroupId, around.groupNames),
    ...(image.sourceVolume && { source_volume: sourceVolume(base, image.sourceVolume, around.volumeName) }),
    status,
    status_reasons: statusReasons(image, status, around.hasBegun),
    user_data_format: system.user_data_format,
    visibility: 'private' as const,
  }
}

/** The volume by its present name; one that has gone, by the name it had. */
const sourceVolume = (
  base: string,
  { id, crn, name }: NonNullable<Image['sourceVolume']>,
  present: string | undefined,
) => ({
  crn,
  href: volumeHref(base, id),
  id,
  name: present ?? name,
  resource_type: 'volume' as const,
  ...(present === undefined && deletedReference),
})

const waiting = {
  begun: { code: 'image_request_in_progress', message: 'the image is being made' },
  queued: { code: 'image_request_queued', message: 'the image is waiting to be made' },
} as const

function statusReasons(image: Image, status: ImageStatus, hasBegun: boolean) {
  if (status === 'pending') return [{ ...(hasBegun ? waiting.begun : waiting.queued) }]
  if (status === 'failed') return image.failure ? [{ ...image.failure }] : []
  const reason = status === 'unusable' ? keyReason(image.keyStanding) : null
  return reason ? [{ code: reason.code, message: reason.message.replace('volume', 'image') }] : []
}
