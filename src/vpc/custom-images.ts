// Images, as requests reach them: one method per operation. How they come to be is image-create.ts; what happens to them in
// the background is reconcile-images.ts and follow-keys.ts. Stock images (images.ts) are everybody's, and come after the
// account's own in its lists.

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { groupNames } from './groups.ts'
import type { Image } from './image.ts'
import { createImage, leaveToMakeImage } from './image-create.ts'
import { imageInStatus, imageNameTaken, imageNotFound, isPublic } from './image-faults.ts'
import { checkOrder, imageFilter, parseImagePatch, parseImagePrototype } from './image-prototype.ts'
import { imageView } from './image-reply.ts'
import type { imagePatch, imagePrototype, imageQuery } from './image-schemas.ts'
import { imageStatusOf, mayBeDone } from './image-state.ts'
import { isStockImage, stockImagesFor, stockImageView } from './images.ts'
import { pagedProfiles } from './instance-profiles.ts'
import { listPage } from './listing.ts'
import { cut, newestFirst, pageLinks, parsePage } from './page.ts'
import type { Page, PageRequest, Position } from './page.ts'
import type { VpcParts } from './parts.ts'
import { percentCopied } from './restore.ts'
import { countListedImages, pageOfImages } from './tables-image-lists.ts'
import {
  isImageBeingCopied,
  isImageNameTaken,
  locateImage,
  readImage,
  readImages,
  requestImageDeletion,
  updateImage,
} from './tables-images.ts'
import type { ImagePatch } from './tables-images.ts'
import type { Leave } from './tables-granted.ts'
import type { Selection, Within } from './tables-pages.ts'
import { volumeNames } from './tables-volumes.ts'
import { targetOf } from './targets.ts'

export type CustomImages = ReturnType<typeof makeCustomImages>

type Query = Static<typeof imageQuery>

export function makeCustomImages(parts: VpcParts) {
  const { database, iam, outbox, region, clock } = parts
  const { reads } = database

  async function views(context: Context, images: readonly Image[]) {
    const names = await groupNames(parts.resources, images)
    const sources = images.flatMap(({ sourceVolume }) => sourceVolume?.id ?? [])
    const present = await volumeNames(reads, context.caller.accountId, sources)
    return await Promise.all(
      images.map(async (image) =>
        imageView(context.baseUrl, image, {
          now: clock.now(),
          groupNames: names,
          volumeName: image.sourceVolume ? present.get(image.sourceVolume.id) : undefined,
          hasBegun: image.phase === 'keyed' && (await percentCopied(parts, image.id)) !== null,
        }),
      ),
    )
  }

  async function answer(context: Context, image: Image) {
    const [view] = await views(context, [image])
    if (!view) throw imageNotFound(image.id)
    return view
  }

  /** Who may not know that an image exists, above all another account, reads that it does not. */
  async function grantOn<Action extends string>(context: Context, action: Action, id: string) {
    const place = await locateImage(reads, { accountId: context.caller.accountId, region, id })
    if (!place) throw isStockImage(id) ? isPublic() : imageNotFound(id)
    return await iam.authorize(context.caller, action, targetOf('image', place))
  }

  async function change(
    context: Context,
    id: string,
    action: 'retire' | 'update',
    patchOf: (before: Image, tx: Tx) => ImagePatch | Promise<ImagePatch>,
  ): Promise<Image> {
    const grant = await grantOn(context, 'is.image.image.update', id)
    return await database.transaction(async (tx) => {
      const before = await readImage(tx, grant)
      if (!before) throw imageNotFound(id)
      const status = imageStatusOf(before, clock.now())
      if (!mayBeDone(action, status)) throw imageInStatus(before, status)
      const now = await updateImage(tx, grant, await patchOf(before, tx))
      if (!now) throw imageInStatus(before, 'deleting')
      const { accountId, crn: imageCrn } = now
      await outbox.append(tx, { type: 'vpc.image.updated', accountId, initiatorId: context.caller.iamId, imageCrn })
      return now
    })
  }

  /** Leave to read a page of the account's own; to whom no policy gives any, they are none where others were asked for too. */
  async function ownPage(
    context: Context,
    query: Query,
  ): Promise<{ page: Page<Position>; leave: Leave<'is.image.image.list'> }> {
    const at = { accountId: context.caller.accountId, region }
    const filter = imageFilter(query, clock.now())
    const listed = {
      kind: 'image',
      action: 'is.image.image.list',
      locate: (selection: Selection) => pageOfImages(reads, at, filter, selection),
      count: (within: Within) => countListedImages(reads, at, filter, within),
    } as const
    try {
      return await listPage(parts, context, listed, query)
    } catch (error) {
      const isRefused = error instanceof Fault && error.code === 'forbidden'
      if (!isRefused || query.visibility === 'private' || query.owner_type === 'user') throw error
      return { page: { items: [], limit: parsePage(query).limit, totalCount: 0, next: null }, leave: [] }
    }
  }

  return {
    async create(context: Context, body: Static<typeof imagePrototype>) {
      const grant = await leaveToMakeImage(parts, context, body.resource_group?.id ?? null)
      return await answer(
        context,
        await createImage(parts, context, await parseImagePrototype(parts, context, body), grant),
      )
    },

    async list(context: Context, query: Query) {
      const own = await ownPage(context, query)
      const page = withStock(own.page, query)
      const { version: _version, generation: _generation, ...filters } = query
      const stock = page.items.flatMap(({ id }) => stockImageView(context.baseUrl, region, id) ?? [])
      return {
        ...pageLinks(page, `${context.baseUrl}/v1/images`, filters),
        images: [...(await views(context, await readImages(reads, own.leave))), ...stock],
      }
    },

    async get(context: Context, id: string) {
      const stock = stockImageView(context.baseUrl, region, id)
      if (stock) return stock
      const image = await readImage(reads, await grantOn(context, 'is.image.image.read', id))
      if (!image) throw imageNotFound(id)
      return await answer(context, image)
    },

    /** None is ruled out here: whoever runs the machine knows what its disk needs. */
    async listInstanceProfiles(context: Context, id: string, query: PageRequest) {
      if (!isStockImage(id)) await grantOn(context, 'is.image.image.read', id)
      return pagedProfiles(context.baseUrl, `${context.baseUrl}/v1/images/${id}/instance_profiles`, query)
    },

    async update(context: Context, id: string, body: Static<typeof imagePatch>) {
      const patch = parseImagePatch(body, clock.now())
      const image = await change(context, id, 'update', async (before, tx) => {
        checkOrder({ ...before, ...patch })
        if (patch.name !== undefined && (await isImageNameTaken(tx, before, patch.name)))
          throw imageNameTaken(patch.name)
        return patch
      })
      return await answer(context, image)
    },

    /** From this moment. One that would be obsolete before it is deprecated is only obsolete. */
    async deprecate(context: Context, id: string): Promise<void> {
      await change(context, id, 'retire', ({ obsolescenceAt }) => {
        const now = clock.now()
        return { deprecationAt: now, ...(obsolescenceAt !== null && obsolescenceAt <= now && { obsolescenceAt: null }) }
      })
    },

    async obsolete(context: Context, id: string): Promise<void> {
      await change(context, id, 'retire', ({ deprecationAt }) => {
        const now = clock.now()
        return { obsolescenceAt: now, ...(deprecationAt !== null && deprecationAt >= now && { deprecationAt: null }) }
      })
    },

    /** On its way out from the moment it is answered; bytes and registration follow. */
    async remove(context: Context, id: string): Promise<void> {
      const grant = await grantOn(context, 'is.image.image.delete', id)
      await database.transaction(async (tx) => {
        const before = await readImage(tx, grant)
        if (!before) throw imageNotFound(id)
        const status = imageStatusOf(before, clock.now())
        if (!mayBeDone('delete', status)) throw imageInStatus(before, status)
        if (await isImageBeingCopied(tx, before.id))
          throw imageInStatus(before, status, ': a volume is being made of it')
        const now = await requestImageDeletion(tx, grant)
        if (!now) throw imageInStatus(before, 'deleting')
        const { accountId, crn: imageCrn } = now
        const initiatorId = context.caller.iamId
        await outbox.append(tx, { type: 'vpc.image.deletion-requested', accountId, initiatorId, imageCrn })
      })
    },
  }
}

/** After the last of the account's own come the stock images: what there is room for, from where the page before ended. */
function withStock(own: Page<Position>, query: Query): Page<Position> {
  const stock = stockImagesFor(query)
  const totalCount = own.totalCount + stock.length
  if (own.next !== null) return { ...own, totalCount }
  const { after } = parsePage(query)
  const rest = after && isStockImage(after.id) ? stock.filter((image) => newestFirst(image, after) > 0) : stock
  return cut([...own.items, ...rest], { limit: own.limit, totalCount })
}
