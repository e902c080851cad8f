// How a custom image comes to be. Each step leaves something that the next pass of reconcile-images.ts understands, so the
// process may stop between any two lines:
//
//   1. the caller may make images here, its image service may read the file, and what is asked for makes sense
//   2. a row holds the name, hidden: phase `requested`
//   3. the key manager wraps a data key and registers the image on the root key, in one step of its own
//   4. the row keeps the wrapped key, readers see the image: phase `keyed`, status pending; the request is answered
//   5. a disk makes the image of the file or the volume, in the background
//   6. phase `formatted`, status available
//
// No registration outlives its row: the row comes before and goes after.

import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { WrappedDataKey } from '#kms/port.ts'
import { groupForNew } from './groups.ts'
import { makeImageId, vpcCrn } from './ids.ts'
import type { Image } from './image.ts'
import { imageGivenUp, imageNameTaken } from './image-faults.ts'
import { checkOrder, readImageSource } from './image-prototype.ts'
import type { NewImage } from './image-prototype.ts'
import { makeName, nameDrawsMax } from './names.ts'
import type { VpcParts } from './parts.ts'
import { checkQuota } from './quotas.ts'
import { abandonImage } from './tables-image-work.ts'
import { countImages, dropRequestedImage, insertImage, keepImageKey } from './tables-images.ts'
import type { CreateImage } from './tables-images.ts'
import { newTarget } from './targets.ts'
import { blockStorageOf } from './volume.ts'
import { KeyRefused, requestVolumeKey } from './volume-key.ts'

/** Leave for step 1. */
export async function leaveToMakeImage(
  parts: VpcParts,
  context: Context,
  groupId: string | null,
): Promise<CreateImage> {
  const { accountId } = context.caller
  const group = await groupForNew(parts.resources, 'image', accountId, groupId)
  const place = { accountId, region: parts.region, resourceGroupId: group.id }
  return await parts.iam.authorize(context.caller, 'is.image.image.create', newTarget('image', place))
}

/** Steps 2 to 4. */
export async function createImage(
  parts: VpcParts,
  context: Context,
  wanted: NewImage,
  grant: CreateImage,
): Promise<Image> {
  checkOrder(wanted)
  const providerKey = await parts.kms.providerKey(blockStorageOf(grant.target.accountId), parts.region)
  const image = await request(parts, context, grant, { wanted, providerKey })
  const key = await keyOrNothing(parts, context, grant, image)
  return await keep(parts, context, grant, image, key)
}

interface Plan {
  readonly wanted: NewImage
  readonly providerKey: string
}

/** Step 2. A name that was drawn and is taken is drawn again; one that was asked for and is taken is refused. */
async function request(parts: VpcParts, context: Context, grant: CreateImage, plan: Plan): Promise<Image> {
  for (let draw = 0; draw < nameDrawsMax; draw++) {
    const name = plan.wanted.name ?? makeName(parts.random)
    const image = await insert(parts, context, grant, plan, name)
    if (image) return image
    if (plan.wanted.name !== null) throw imageNameTaken(name)
  }
  throw new Fault('unavailable', 'no free name was found for the image')
}

/** Null when the name is taken. */
function insert(
  parts: VpcParts,
  context: Context,
  grant: CreateImage,
  plan: Plan,
  name: string,
): Promise<Image | null> {
  return parts.database.transaction(async (tx) => {
    checkQuota(parts, 'images', await countImages(tx, grant, parts.region))
    const { from } = plan.wanted
    const source = from.by === 'volume' ? await readImageSource(tx, from) : null
    // VPC docs, "Creating an image from a volume": under the volume's key unless another is named.
    const ofVolume = source && !source.volume.isProviderManaged ? source.volume.keyCrn : null
    const userKey = plan.wanted.keyCrn ?? ofVolume
    const image: Image = {
      ...draft(parts, grant, plan.wanted, name),
      operatingSystem: from.by === 'file' ? from.operatingSystem : (source?.operatingSystem ?? ''),
      fileHref: from.by === 'file' ? from.href : null,
      filePassphrase: from.by === 'file' ? from.passphrase : null,
      sourceVolume: source && { id: source.volume.id, crn: source.volume.crn, name: source.volume.name },
      capacityGb: source?.volume.capacityGb ?? null,
      keyCrn: userKey ?? plan.providerKey,
      isProviderManaged: userKey === null,
    }
    if (!(await insertImage(tx, grant, image))) return null
    const { accountId, crn: imageCrn, keyCrn } = image
    const initiatorId = context.caller.iamId
    await parts.outbox.append(tx, { type: 'vpc.image.requested', accountId, initiatorId, imageCrn, keyCrn })
    return image
  })
}

function draft(parts: VpcParts, grant: CreateImage, wanted: NewImage, name: string) {
  const { accountId, resourceGroupId } = grant.target
  assert(resourceGroupId !== undefined, 'an image is made in a resource group')
  const now = parts.clock.now()
  const id = makeImageId(parts.random, parts.region)
  return {
    id,
    accountId,
    region: parts.region,
    name,
    crn: vpcCrn('image', { accountId, location: parts.region }, id),
    resourceGroupId,
    storedBytes: null,
    fileSha256: null,
    wrappedDataKey: null,
    phase: 'requested' as const,
    keyStanding: 'usable' as const,
    failure: null,
    waitingSince: now,
    deprecationAt: wanted.deprecationAt,
    obsolescenceAt: wanted.obsolescenceAt,
    createdAt: now,
    allowedUse: wanted.allowedUse,
  }
}

/** Step 3. After a refusal nothing is left; after any other failure the row stays hidden until its traces are gone. */
async function keyOrNothing(
  parts: VpcParts,
  context: Context,
  grant: CreateImage,
  image: Image,
): Promise<WrappedDataKey> {
  const { accountId, crn: imageCrn } = image
  const initiatorId = context.caller.iamId
  try {
    return await requestVolumeKey(parts.kms, image)
  } catch (error) {
    await parts.database.transaction(async (tx) => {
      if (error instanceof KeyRefused) {
        const reason = error.reason ?? error.code
        if (!(await dropRequestedImage(tx, grant, image.id))) return
        await parts.outbox.append(tx, { type: 'vpc.image.refused', accountId, initiatorId, imageCrn, reason })
      } else if (await abandonImage(tx, image.id)) {
        const reason = 'the key manager did not answer'
        await parts.outbox.append(tx, { type: 'vpc.image.abandoned', accountId, initiatorId, imageCrn, reason })
      }
    })
    throw error
  }
}

/** Step 4. */
async function keep(
  parts: VpcParts,
  context: Context,
  grant: CreateImage,
  image: Image,
  key: WrappedDataKey,
): Promise<Image> {
  const { accountId, crn: imageCrn } = image
  const kept = await parts.database.transaction(async (tx) => {
    const now = await keepImageKey(tx, grant, image.id, key)
    const facts = { accountId, initiatorId: context.caller.iamId, imageCrn, keyCrn: key.keyCrn }
    if (now) await parts.outbox.append(tx, { type: 'vpc.image.created', ...facts })
    return now
  })
  if (kept) return kept
  // As of volumes: what has just been registered goes again, by this line or by the sweep.
  await parts.kms.unregister({ keyCrn: key.keyCrn, resourceCrn: imageCrn, as: blockStorageOf(accountId) })
  throw imageGivenUp()
}
