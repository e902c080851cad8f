// Volumes, as requests reach them: one method per operation. How they come to be is volume-create.ts; what happens to
// them in the background is reconcile-volumes.ts and follow-keys.ts.

import type { Static } from 'typebox'
import { reply } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { checkIfMatch, requireIfMatch } from './etags.ts'
import { groupNames } from './groups.ts'
import { pagedProfiles } from './instance-profiles.ts'
import { listPage } from './listing.ts'
import { pageLinks } from './page.ts'
import type { PageRequest } from './page.ts'
import type { VpcParts } from './parts.ts'
import { refuseBetweenKeys } from './reencrypt.ts'
import { hasSource, percentCopied } from './restore.ts'
import { planSource } from './restore-source.ts'
import { isVolumeBusy } from './snapshot-create.ts'
import { busy as busyNow } from './snapshot-faults.ts'
import { shownStatus } from './run-on.ts'
import { attachmentsOf } from './tables-attachments.ts'
import { imageNames } from './tables-images.ts'
import { busyVolumes, snapshotNames } from './tables-snapshots.ts'
import {
  countListedVolumes,
  isNameTaken,
  locateVolume,
  pageOfVolumes,
  readVolume,
  readVolumes,
  requestDeletion,
  updateVolume,
} from './tables-volumes.ts'
import type { UpdateVolume, VolumeFilter, VolumePatch } from './tables-volumes.ts'
import type { Selection, Within } from './tables-pages.ts'
import { targetOf } from './targets.ts'
import type { Volume } from './volume.ts'
import { createVolume, nameTaken } from './volume-create.ts'
import { changeOf } from './volume-change.ts'
import { bookSize, settleSize } from './volume-size.ts'
import { parseVolumePatch, parseVolumePrototype } from './volume-prototype.ts'
import { volumeEtag, volumeView } from './volume-reply.ts'
import { profilesOfGeneration } from './volume-profiles.ts'
import type { volumePatch, volumePrototype, volumeQuery } from './volume-schemas.ts'
import { allowedIn, mayInStatus, statusOf } from './volume-state.ts'

export type Volumes = ReturnType<typeof makeVolumes>

export function makeVolumes(parts: VpcParts) {
  const { database, iam, outbox, region } = parts

  async function views(context: Context, volumes: readonly Volume[]) {
    const names = await groupNames(parts.resources, volumes)
    const { reads } = database
    const attachments = await attachmentsOf(reads, volumes)
    const busy = await busyVolumes(
      reads,
      volumes.map(({ id }) => id),
    )
    const sources = volumes.flatMap(({ source }) => source?.id ?? [])
    const sourceNames = await snapshotNames(reads, context.caller.accountId, sources)
    const images = await imageNames(
      reads,
      context.caller.accountId,
      volumes.flatMap(({ imageId }) => imageId ?? []),
    )
    return await Promise.all(
      volumes.map(async (volume) => {
        const attachment = attachments.get(volume.id)
        return volumeView(context.baseUrl, volume, {
          groupNames: names,
          attachment,
          image: images.get(volume.imageId ?? ''),
          status: shownStatus(parts, volume, attachment),
          isBusy: busy.has(volume.id),
          sourceName: volume.source ? sourceNames.get(volume.source.id) : undefined,
          percent: volume.phase === 'keyed' && hasSource(volume) ? await percentCopied(parts, volume.id) : null,
        })
      }),
    )
  }

  async function answer(context: Context, volume: Volume) {
    const [view] = await views(context, [volume])
    if (!view) throw notFound(volume.id)
    return reply(view, { etag: volumeEtag(volume) })
  }

  /** Who may not know that a volume exists, above all another account, reads that it does not. */
  async function grantOn<Action extends string>(context: Context, action: Action, id: string) {
    const place = await locateVolume(database.reads, { accountId: context.caller.accountId, region, id })
    if (!place) throw notFound(id)
    return await iam.authorize(context.caller, action, targetOf('volume', place))
  }

  return {
    async create(context: Context, body: Static<typeof volumePrototype>) {
      const source = await planSource(parts, context, body.source_snapshot)
      return await answer(context, await createVolume(parts, context, parseVolumePrototype(body, region, source)))
    },

    async list(context: Context, query: Static<typeof volumeQuery>) {
      const { reads } = database
      const at = { accountId: context.caller.accountId, region }
      const filter = filterOf(query)
      const listed = {
        kind: 'volume',
        action: 'is.volume.volume.list',
        locate: (selection: Selection) => pageOfVolumes(reads, at, filter, selection),
        count: (within: Within) => countListedVolumes(reads, at, filter, within),
      } as const
      const { page, leave } = await listPage(parts, context, listed, query)
      const { version: _version, generation: _generation, ...filters } = query
      return {
        ...pageLinks(page, `${context.baseUrl}/v1/volumes`, filters),
        volumes: await views(context, await readVolumes(reads, leave)),
      }
    },

    async get(context: Context, id: string) {
      const volume = await readVolume(database.reads, await grantOn(context, 'is.volume.volume.read', id))
      if (!volume) throw notFound(id)
      return await answer(context, volume)
    },

    async listInstanceProfiles(context: Context, id: string, query: PageRequest) {
      await grantOn(context, 'is.volume.volume.read', id)
      return pagedProfiles(context.baseUrl, `${context.baseUrl}/v1/volumes/${id}/instance_profiles`, query)
    },

    async update(context: Context, id: string, body: Static<typeof volumePatch>, ifMatch: string | undefined) {
      const wanted = parseVolumePatch(body)
      if (wanted.userTags) requireIfMatch(ifMatch, 'volume')
      const grant = await grantOn(context, 'is.volume.volume.update', id)
      const plan = async (reads: Reads) => {
        const before = await readVolume(reads, grant)
        if (!before) throw notFound(id)
        checkIfMatch(ifMatch, volumeEtag(before), `volume ${id}`)
        refuseInStatus('update', before)
        const patch = changeOf(before, (await attachmentsOf(reads, [before])).get(before.id), wanted)
        if (patch.resize && (await isVolumeBusy(reads, before))) throw busyNow(before)
        if (patch.resize) await refuseBetweenKeys(reads, before)
        return { before, patch }
      }
      const asked = await plan(database.reads)
      const isBooked = await bookSize(parts, asked.before, asked.patch)
      try {
        const volume = await database.transaction(async (tx) => {
          const { before, patch } = await plan(tx)
          if (Object.keys(patch).length === 0) return before
          const { name } = patch
          if (name !== undefined && (await isNameTaken(tx, grant, region, name))) throw nameTaken(name)
          return await change(tx, context, grant, before, patch)
        })
        return await answer(context, volume)
      } catch (error) {
        if (isBooked) await settleSize(parts, asked.before)
        throw error
      }
    },

    /** Gone from the moment it is answered, as far as use is concerned; image and registration follow. */
    async remove(context: Context, id: string, ifMatch: string | undefined): Promise<void> {
      const grant = await grantOn(context, 'is.volume.volume.delete', id)
      await database.transaction(async (tx) => {
        const before = await readVolume(tx, grant)
        if (!before) throw notFound(id)
        checkIfMatch(ifMatch, volumeEtag(before), `volume ${id}`)
        const attachment = (await attachmentsOf(tx, [before])).get(before.id)
        if (attachment) throw stillAttached(before, attachment.instance.name)
        refuseInStatus('delete', before)
        if (await isVolumeBusy(tx, before)) throw busyNow(before)
        await refuseBetweenKeys(tx, before)
        if (!(await requestDeletion(tx, grant))) throw notDeletable(before)
        const { accountId, crn: volumeCrn } = before
        const initiatorId = context.caller.iamId
        await outbox.append(tx, { type: 'vpc.volume.deletion-requested', accountId, initiatorId, volumeCrn })
      })
    },
  }

  async function change(
    tx: Parameters<typeof updateVolume>[0],
    context: Context,
    grant: UpdateVolume,
    before: Volume,
    patch: VolumePatch,
  ): Promise<Volume> {
    const after = await updateVolume(tx, grant, before, patch)
    if (!after) throw notDeletable(before)
    const { accountId, crn: volumeCrn } = after
    await outbox.append(tx, { type: 'vpc.volume.updated', accountId, initiatorId: context.caller.iamId, volumeCrn })
    return after
  }
}

const filterOf = (query: Static<typeof volumeQuery>): VolumeFilter => ({
  name: query.name,
  zone: query['zone.name'],
  tag: query.tag?.toLowerCase(),
  isProviderManaged: query.encryption && query.encryption === 'provider_managed',
  profiles: query.storage_generation === undefined ? undefined : profilesOfGeneration(query.storage_generation),
  attachmentState: query.attachment_state,
  hasNone: asksForSome(query['operating_system.family']) || asksForSome(query['operating_system.architecture']),
})

/** VPC API, filters: `null` asks for what has none. Volumes are blank here: none of them has an operating system. */
const asksForSome = (wanted: string | undefined): true | undefined =>
  wanted === undefined || wanted === 'null' ? undefined : true

function refuseInStatus(action: 'update' | 'delete', volume: Volume): void {
  const status = statusOf(volume)
  if (mayInStatus(action, status)) return
  if (action === 'delete') throw notDeletable(volume)
  throw new Fault('conflict', `volume ${volume.id} is ${status}`, { reason: 'volume_status_not_available' })
}

function notDeletable(volume: Volume): Fault {
  const message = `volume ${volume.id} is ${statusOf(volume)}: it can be deleted when ${allowedIn.delete.join(', ')}`
  return new Fault('conflict', message, { reason: 'volume_not_deletable' })
}

const stillAttached = (volume: Volume, instanceName: string): Fault =>
  new Fault('conflict', `volume ${volume.id} is still attached to instance ${instanceName}: detach it first`, {
    reason: 'volume_still_attached',
  })

export const notFound = (id: string): Fault =>
  new Fault('not_found', `volume with id ${JSON.stringify(id.slice(0, 64))} is not found`, {
    reason: 'volume_id_not_found',
  })
