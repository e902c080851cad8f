// The image that the body of an instance names: a stock image, of which there is only the name, or one of the account's
// own, of which the boot volume is made. Source: VPC API, "InstancePrototypeInstanceByImage".

import type { Clock } from '#base/clock.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { idOf } from './identity.ts'
import type { Image } from './image.ts'
import { imageInStatus, imageUnknown } from './image-faults.ts'
import { imageStatusOf, mayBeDone } from './image-state.ts'
import { isStockImage } from './images.ts'
import type { VpcParts } from './parts.ts'
import { locateImage, readImage } from './tables-images.ts'
import { targetOf } from './targets.ts'
import { keyReason } from './volume-state.ts'

export interface BootImage {
  readonly image: Image
  readonly grant: Grant<'is.image.image.read'>
}

export async function planBootImage(
  parts: VpcParts,
  context: Context,
  identity: Parameters<typeof idOf>[0],
): Promise<{ readonly imageId: string; readonly boot: BootImage | null }> {
  const imageId = idOf(identity, 'image')
  if (isStockImage(imageId)) return { imageId, boot: null }
  const at = { accountId: context.caller.accountId, region: parts.region, id: imageId }
  const place = await locateImage(parts.database.reads, at)
  if (!place || (identity.crn !== undefined && !identity.crn.includes(`:a/${at.accountId}:`)))
    throw imageUnknown(imageId)
  const grant = await parts.iam.authorize(context.caller, 'is.image.image.read', targetOf('image', place))
  const image = await readImage(parts.database.reads, grant)
  if (!image) throw imageUnknown(imageId)
  checkBootable(image, parts.clock)
  return { imageId, boot: { image, grant } }
}

/** Asked again in the transaction that makes the volume's row: from then on the image stays until the volume is there. */
export async function claimImage(tx: Tx, { grant, image }: BootImage, clock: Clock): Promise<void> {
  const now = await readImage(tx, grant)
  if (!now) throw imageUnknown(image.id)
  checkBootable(now, clock)
}

function checkBootable(image: Image, clock: Clock): void {
  const status = imageStatusOf(image, clock.now())
  if (mayBeDone('boot', status)) return
  const reason = status === 'unusable' ? keyReason(image.keyStanding) : null
  const why = reason ? `: ${reason.message.replace('volume', 'image')} (${reason.code})` : ''
  throw imageInStatus(image, status, `, and makes no instances${why}`)
}
