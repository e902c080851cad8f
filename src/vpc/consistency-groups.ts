// Consistency groups, as requests reach them: snapshots of volumes of one instance, taken together and named as one. Source:
// VPC API, "Snapshot consistency groups".

import type { Static } from 'typebox'
import { reply } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import { checkIfMatch } from './etags.ts'
import { groupForNew, groupNames } from './groups.ts'
import { makeSnapshotGroupId, vpcCrn } from './ids.ts'
import { listPage } from './listing.ts'
import { checkName, groupNameLengthMax, makeName } from './names.ts'
import { pageLinks, parseSort } from './page.ts'
import type { VpcParts } from './parts.ts'
import type { SnapshotGroup } from './snapshot.ts'
import { createSnapshots } from './snapshot-create.ts'
import { nameTaken } from './snapshot-faults.ts'
import type { NewSnapshot } from './snapshot-create.ts'
import { deleteSnapshot } from './snapshot-delete.ts'
import { volumeToCapture } from './snapshot-prototype.ts'
import { groupView, snapshotEtag } from './snapshot-reply.ts'
import type { snapshotGroupPatch, snapshotGroupPrototype, snapshotGroupQuery } from './snapshot-schemas.ts'
import { snapshotStateOf } from './snapshot-state.ts'
import {
  isGroupNameTaken,
  locateGroup,
  membersOf,
  readGroup,
  readGroups,
  requestGroupDeletion,
  updateGroup,
} from './tables-snapshot-groups.ts'
import type { Selection, Within } from './tables-pages.ts'
import { countListedGroups, pageOfGroups } from './tables-snapshot-lists.ts'
import type { DeleteSnapshot } from './tables-snapshots.ts'
import { newTarget, targetOf } from './targets.ts'
import { parseUserTags } from './volume-prototype.ts'

const kind = 'snapshot-consistency-group'
const noun = 'is.snapshot-consistency-group.snapshot-consistency-group'

/** VPC API, "SnapshotConsistencyGroupPrototype": what names of snapshots begin with that are not given. */
const namePrefixLength = 16

export type ConsistencyGroups = ReturnType<typeof makeConsistencyGroups>

export function makeConsistencyGroups(parts: VpcParts) {
  const { database, iam, outbox, region } = parts

  async function views(context: Context, groups: readonly SnapshotGroup[]) {
    const names = await groupNames(parts.resources, groups)
    const members = await membersOf(database.reads, groups)
    return groups.map((group) =>
      groupView(context.baseUrl, group, { groupNames: names, members: members.get(group.id) ?? [] }),
    )
  }

  async function view(context: Context, group: SnapshotGroup) {
    const [shown] = await views(context, [group])
    if (!shown) throw notFound(group.id)
    return shown
  }

  const answer = async (context: Context, group: SnapshotGroup) =>
    reply(await view(context, group), { etag: snapshotEtag(group) })

  async function grantOn<Action extends string>(context: Context, action: Action, id: string) {
    const place = await locateGroup(database.reads, { accountId: context.caller.accountId, region, id })
    if (!place) throw notFound(id)
    return await iam.authorize(context.caller, action, targetOf(kind, place))
  }

  return {
    async create(context: Context, body: Static<typeof snapshotGroupPrototype>) {
      const { caller } = context
      const name = body.name === undefined ? makeName(parts.random) : checkName(body.name, 'name', groupNameLengthMax)
      const namePrefix = `${name.slice(0, namePrefixLength).replace(/-+$/, '')}-`
      const inGroup = await groupForNew(parts.resources, kind, caller.accountId, body.resource_group?.id ?? null)
      const place = { accountId: caller.accountId, region, resourceGroupId: inGroup.id }
      const grant = await iam.authorize(caller, `${noun}.create`, newTarget(kind, place))
      const leave = await iam.authorize(caller, 'is.snapshot.snapshot.create', newTarget('snapshot', place))
      const wanted: NewSnapshot[] = []
      for (const [i, one] of body.snapshots.entries()) {
        const field = `snapshots.${i}`
        wanted.push({
          field,
          namePrefix,
          name: one.name === undefined ? null : checkName(one.name, `${field}.name`),
          userTags: parseUserTags(one.user_tags ?? [], `${field}.user_tags`),
          cloneZones: [],
          allowedUse: null,
          volume: await volumeToCapture(parts, context, one.source_volume, field),
        })
      }
      const id = makeSnapshotGroupId(parts.random, region)
      const group: SnapshotGroup = {
        ...place,
        id,
        name,
        crn: vpcCrn(kind, { accountId: place.accountId, location: region }, id),
        deleteSnapshots: body.delete_snapshots_on_delete ?? true,
        phase: 'requested',
        revision: 1,
        createdAt: parts.clock.now(),
      }
      await createSnapshots(parts, context, wanted, { grant: leave, group: { grant, group } })
      return await answer(context, { ...group, phase: 'made' })
    },

    async list(context: Context, query: Static<typeof snapshotGroupQuery>) {
      const { reads } = database
      const at = { accountId: context.caller.accountId, region }
      const plan = query['backup_policy_plan.id']
      // VPC API, filters: `null` asks for what has none. No plan makes groups here.
      const hasNone = plan !== undefined && plan !== 'null'
      const filter = { name: query.name, resourceGroupId: query['resource_group.id'], hasNone }
      const listed = {
        kind,
        action: `${noun}.list`,
        locate: (selection: Selection) => pageOfGroups(reads, at, filter, selection),
        count: (within: Within) => countListedGroups(reads, at, filter, within),
      } as const
      const { page, leave } = await listPage(parts, context, listed, query, parseSort(query.sort))
      const { version: _version, generation: _generation, ...filters } = query
      return {
        ...pageLinks(page, `${context.baseUrl}/v1/snapshot_consistency_groups`, filters),
        snapshot_consistency_groups: await views(context, await readGroups(reads, leave)),
      }
    },

    async get(context: Context, id: string) {
      const group = await readGroup(database.reads, await grantOn(context, `${noun}.read`, id))
      if (!group) throw notFound(id)
      return await answer(context, group)
    },

    async update(context: Context, id: string, body: Static<typeof snapshotGroupPatch>, ifMatch: string | undefined) {
      const name = body.name === undefined ? undefined : checkName(body.name, 'name', groupNameLengthMax)
      const deleteSnapshots = body.delete_snapshots_on_delete
      const grant = await grantOn(context, `${noun}.update`, id)
      const after = await database.transaction(async (tx) => {
        const before = await readGroup(tx, grant)
        if (!before) throw notFound(id)
        checkIfMatch(ifMatch, snapshotEtag(before), `snapshot consistency group ${id}`)
        if (name === undefined && deleteSnapshots === undefined) return before
        if (name !== undefined && (await isGroupNameTaken(tx, before, name))) throw nameTaken(name, 'name')
        const patch = { ...(name !== undefined && { name }), ...(deleteSnapshots !== undefined && { deleteSnapshots }) }
        const now = await updateGroup(tx, grant, before, patch)
        if (!now) throw isDeleting(before)
        const { accountId, crn: groupCrn } = now
        const initiatorId = context.caller.iamId
        await outbox.append(tx, { type: 'vpc.snapshot-group.updated', accountId, initiatorId, groupCrn })
        return now
      })
      return await answer(context, after)
    },

    /** Its snapshots go with it, all or none, unless they are to stay; the group has gone when the last of them has. */
    async remove(context: Context, id: string, ifMatch: string | undefined) {
      const { caller } = context
      const grant = await grantOn(context, `${noun}.delete`, id)
      const found = await readGroup(database.reads, grant)
      if (!found) throw notFound(id)
      const shown = found.deleteSnapshots ? ((await membersOf(database.reads, [found])).get(found.id) ?? []) : []
      const grants: DeleteSnapshot[] = []
      for (const member of shown) {
        grants.push(await iam.authorize(caller, 'is.snapshot.snapshot.delete', targetOf('snapshot', member)))
      }
      const after = await database.transaction(async (tx) => {
        const before = await readGroup(tx, grant)
        if (!before) throw notFound(id)
        checkIfMatch(ifMatch, snapshotEtag(before), `snapshot consistency group ${id}`)
        if (before.deleteSnapshots !== found.deleteSnapshots) throw changed(before)
        const now = await requestGroupDeletion(tx, grant)
        if (!now) throw isDeleting(before)
        const members = (await membersOf(tx, [now])).get(now.id) ?? []
        for (const member of members) {
          if (snapshotStateOf(member) === 'deleting') continue
          const leave = grants.find(({ target }) => target.resource === member.id)
          if (leave) await deleteSnapshot(parts, tx, context, leave, member)
        }
        const { accountId, crn: groupCrn } = now
        const initiatorId = caller.iamId
        await outbox.append(tx, { type: 'vpc.snapshot-group.deletion-requested', accountId, initiatorId, groupCrn })
        return now
      })
      return await view(context, after)
    },
  }
}

const notFound = (id: string): Fault =>
  new Fault('not_found', `snapshot consistency group with id ${JSON.stringify(id.slice(0, 64))} is not found`)

const isDeleting = ({ id }: SnapshotGroup): Fault =>
  new Fault('conflict', `snapshot consistency group ${id} is deleting`, { reason: 'invalid_state' })

const changed = ({ id }: SnapshotGroup): Fault =>
  new Fault('conflict', `snapshot consistency group ${id} was changed meanwhile: ask again`, {
    reason: 'invalid_state',
  })
