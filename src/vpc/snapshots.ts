// Snapshots and their clones, as requests reach them: one method per operation. How they come to be is snapshot-create.ts;
// what happens to them in the background is reconcile-snapshots.ts and follow-keys.ts.

import type { Static } from 'typebox'
import { reply } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import { checkIfMatch, requireIfMatch } from './etags.ts'
import { groupForNew, groupNames } from './groups.ts'
import { pagedProfiles } from './instance-profiles.ts'
import { volumeIdText } from './ids.ts'
import { listPage } from './listing.ts'
import { checkName } from './names.ts'
import { pageLinks, parseSort } from './page.ts'
import type { PageRequest } from './page.ts'
import type { VpcParts } from './parts.ts'
import { zonesOf } from './regions.ts'
import { percentCopied } from './restore.ts'
import type { Snapshot } from './snapshot.ts'
import { createSnapshots } from './snapshot-create.ts'
import { nameTaken, notBootable } from './snapshot-faults.ts'
import { deleteSnapshot, inState } from './snapshot-delete.ts'
import { parseSnapshotPrototype, snapshotFilter, volumeToCapture } from './snapshot-prototype.ts'
import { cloneView, snapshotEtag, snapshotView } from './snapshot-reply.ts'
import type { snapshotPatch, snapshotPrototype, snapshotQuery, snapshotsOfVolume } from './snapshot-schemas.ts'
import { mayBeDone, snapshotStateOf } from './snapshot-state.ts'
import { clonesOf, deleteClone, groupsOf, insertClone } from './tables-snapshot-groups.ts'
import type { Clone } from './tables-snapshot-groups.ts'
import type { Selection, Within } from './tables-pages.ts'
import { countListedSnapshots, pageOfSnapshots } from './tables-snapshot-lists.ts'
import { imageNames } from './tables-images.ts'
import {
  isSnapshotNameTaken,
  locateOfVolume,
  locateSnapshot,
  readSnapshot,
  readSnapshots,
  updateSnapshot,
} from './tables-snapshots.ts'
import type { DeleteSnapshot, SnapshotPatch } from './tables-snapshots.ts'
import { volumeNames } from './tables-volumes.ts'
import { collectionTarget, newTarget, targetOf } from './targets.ts'
import { parseAllowedUse, parseUserTags } from './volume-prototype.ts'

export type Snapshots = ReturnType<typeof makeSnapshots>

export function makeSnapshots(parts: VpcParts) {
  const { database, iam, outbox, region } = parts

  async function views(context: Context, snapshots: readonly Snapshot[]) {
    const { reads } = database
    const ids = snapshots.map(({ id }) => id)
    const names = await groupNames(parts.resources, snapshots)
    const clones = await clonesOf(reads, ids)
    const groups = await groupsOf(reads, snapshots)
    const sources = await volumeNames(
      reads,
      context.caller.accountId,
      snapshots.map(({ sourceVolume }) => sourceVolume.id),
    )
    const images = await imageNames(
      reads,
      context.caller.accountId,
      snapshots.flatMap(({ imageId }) => imageId ?? []),
    )
    return await Promise.all(
      snapshots.map(async (snapshot) =>
        snapshotView(context.baseUrl, snapshot, {
          groupNames: names,
          volumeNames: sources,
          images,
          clones: clones.filter(({ snapshotId }) => snapshotId === snapshot.id),
          group: snapshot.groupId === null ? undefined : groups.get(snapshot.groupId),
          percent: snapshot.phase === 'keyed' ? await percentCopied(parts, snapshot.id) : null,
        }),
      ),
    )
  }

  async function answer(context: Context, snapshot: Snapshot) {
    const [view] = await views(context, [snapshot])
    if (!view) throw notFound(snapshot.id)
    return reply(view, { etag: snapshotEtag(snapshot) })
  }

  /** Who may not know that a snapshot exists, above all another account, reads that it does not. */
  async function grantOn<Action extends string>(context: Context, action: Action, id: string) {
    const place = await locateSnapshot(database.reads, { accountId: context.caller.accountId, region, id })
    if (!place) throw notFound(id)
    return await iam.authorize(context.caller, action, targetOf('snapshot', place))
  }

  async function found(context: Context, id: string): Promise<Snapshot> {
    const snapshot = await readSnapshot(database.reads, await grantOn(context, 'is.snapshot.snapshot.read', id))
    if (!snapshot) throw notFound(id)
    return snapshot
  }

  return {
    async create(context: Context, body: Static<typeof snapshotPrototype>) {
      const { caller } = context
      const { identity, resourceGroupId, ...wanted } = parseSnapshotPrototype(body, region)
      const group = await groupForNew(parts.resources, 'snapshot', caller.accountId, resourceGroupId)
      const place = { accountId: caller.accountId, region, resourceGroupId: group.id }
      const grant = await iam.authorize(caller, 'is.snapshot.snapshot.create', newTarget('snapshot', place))
      const volume = await volumeToCapture(parts, context, identity, '')
      const [made] = await createSnapshots(parts, context, [{ ...wanted, volume }], { grant, group: null })
      if (!made) throw new Error('one snapshot was asked for and made')
      return await answer(context, made)
    },

    async list(context: Context, query: Static<typeof snapshotQuery>) {
      const { reads } = database
      const at = { accountId: context.caller.accountId, region }
      const filter = snapshotFilter(query)
      const listed = {
        kind: 'snapshot',
        action: 'is.snapshot.snapshot.list',
        locate: (selection: Selection) => pageOfSnapshots(reads, at, filter, selection),
        count: (within: Within) => countListedSnapshots(reads, at, filter, within),
      } as const
      const { page, leave } = await listPage(parts, context, listed, query, parseSort(query.sort))
      const { version: _version, generation: _generation, ...filters } = query
      return {
        ...pageLinks(page, `${context.baseUrl}/v1/snapshots`, filters),
        snapshots: await views(context, await readSnapshots(reads, leave)),
      }
    },

    async get(context: Context, id: string) {
      return await answer(context, await found(context, id))
    },

    async listInstanceProfiles(context: Context, id: string, query: PageRequest) {
      await grantOn(context, 'is.snapshot.snapshot.read', id)
      return pagedProfiles(context.baseUrl, `${context.baseUrl}/v1/snapshots/${id}/instance_profiles`, query)
    },

    async update(context: Context, id: string, body: Static<typeof snapshotPatch>, ifMatch: string | undefined) {
      const patch = parsePatch(body)
      if (patch.userTags) requireIfMatch(ifMatch, 'snapshot')
      const grant = await grantOn(context, 'is.snapshot.snapshot.update', id)
      const after = await database.transaction(async (tx) => {
        const before = await readSnapshot(tx, grant)
        if (!before) throw notFound(id)
        checkIfMatch(ifMatch, snapshotEtag(before), `snapshot ${id}`)
        if (!mayBeDone('update', snapshotStateOf(before))) throw inState(before)
        if (patch.allowedUse && before.imageId === null) throw notBootable('')
        if (Object.keys(patch).length === 0) return before
        if (patch.name !== undefined && (await isSnapshotNameTaken(tx, before, patch.name))) {
          throw nameTaken(patch.name, 'name')
        }
        const now = await updateSnapshot(tx, grant, before, patch)
        if (!now) throw inState(before)
        const { accountId, crn: snapshotCrn } = now
        const initiatorId = context.caller.iamId
        await outbox.append(tx, { type: 'vpc.snapshot.updated', accountId, initiatorId, snapshotCrn })
        return now
      })
      return await answer(context, after)
    },

    /** On its way out from the moment it is answered; image and registration follow. */
    async remove(context: Context, id: string, ifMatch: string | undefined): Promise<void> {
      const grant = await grantOn(context, 'is.snapshot.snapshot.delete', id)
      await database.transaction(async (tx) => {
        const before = await readSnapshot(tx, grant)
        if (!before) throw notFound(id)
        checkIfMatch(ifMatch, snapshotEtag(before), `snapshot ${id}`)
        await deleteSnapshot(parts, tx, context, grant, before)
      })
    },

    /** All of a volume's, which may have gone itself, or none of them. */
    async removeOfVolume(context: Context, query: Static<typeof snapshotsOfVolume>): Promise<void> {
      const { caller } = context
      const action = 'is.snapshot.snapshot.delete'
      const at = { accountId: caller.accountId, region, volumeId: volumeIdText(query['source_volume.id']) }
      const places = await locateOfVolume(database.reads, at)
      if (places.length === 0) await iam.authorize(caller, action, collectionTarget('snapshot', at.accountId, region))
      const grants: DeleteSnapshot[] = []
      for (const place of places) grants.push(await iam.authorize(caller, action, targetOf('snapshot', place)))
      await database.transaction(async (tx) => {
        for (const grant of grants) {
          const before = await readSnapshot(tx, grant)
          if (before && snapshotStateOf(before) !== 'deleting') await deleteSnapshot(parts, tx, context, grant, before)
        }
      })
    },

    async listClones(context: Context, id: string) {
      const snapshot = await found(context, id)
      const clones = await clonesOf(database.reads, [snapshot.id])
      return { clones: clones.map((clone) => cloneView(context.baseUrl, snapshot, clone)) }
    },

    async getClone(context: Context, id: string, zone: string) {
      const snapshot = await found(context, id)
      const clone = (await clonesOf(database.reads, [snapshot.id])).find((one) => one.zone === zone)
      if (!clone) throw cloneNotFound(id, zone)
      return cloneView(context.baseUrl, snapshot, clone)
    },

    async putClone(context: Context, id: string, zone: string) {
      const grant = await grantOn(context, 'is.snapshot.snapshot.update', id)
      if (!zonesOf(region).includes(zone)) throw cloneNotFound(id, zone)
      return await changeClones(context, grant, id, async (tx, snapshot) => {
        await insertClone(tx, grant, { snapshotId: snapshot.id, zone, createdAt: parts.clock.now() })
        return (await clonesOf(tx, [snapshot.id])).find((clone) => clone.zone === zone)
      })
    },

    async removeClone(context: Context, id: string, zone: string): Promise<void> {
      const grant = await grantOn(context, 'is.snapshot.snapshot.update', id)
      await changeClones(context, grant, id, async (tx, snapshot) => {
        const clone = await deleteClone(tx, grant, { snapshotId: snapshot.id, zone })
        if (!clone) throw cloneNotFound(id, zone)
        return clone
      })
    },
  }

  async function changeClones(
    context: Context,
    grant: Parameters<typeof updateSnapshot>[1],
    id: string,
    change: (tx: Tx, snapshot: Snapshot) => Promise<Clone | undefined>,
  ) {
    return await database.transaction(async (tx) => {
      const snapshot = await readSnapshot(tx, grant)
      if (!snapshot) throw notFound(id)
      if (!mayBeDone('update', snapshotStateOf(snapshot))) throw inState(snapshot)
      const clone = await change(tx, snapshot)
      if (!clone) throw new Error('a clone that was inserted is there')
      const { accountId, crn: snapshotCrn } = snapshot
      const initiatorId = context.caller.iamId
      await outbox.append(tx, { type: 'vpc.snapshot.updated', accountId, initiatorId, snapshotCrn })
      return cloneView(context.baseUrl, snapshot, clone)
    })
  }
}

function parsePatch(body: Static<typeof snapshotPatch>): SnapshotPatch {
  const allowedUse = parseAllowedUse(body.allowed_use)
  return {
    ...(body.name !== undefined && { name: checkName(body.name) }),
    ...(body.user_tags !== undefined && { userTags: parseUserTags(body.user_tags) }),
    ...(allowedUse && { allowedUse }),
  }
}

export const notFound = (id: string): Fault =>
  new Fault('not_found', `snapshot with id ${JSON.stringify(id.slice(0, 64))} is not found`, {
    reason: 'snapshot_id_not_found',
  })

const cloneNotFound = (id: string, zone: string): Fault =>
  new Fault('not_found', `snapshot ${id} has no clone in zone ${JSON.stringify(zone.slice(0, 64))}`)
