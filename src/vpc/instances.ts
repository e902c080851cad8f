// Instances, as requests reach them: machines that their users run themselves or that are run here, so that volumes can be
// attached. How one comes to be is instance-create.ts; what becomes of it in the background reconcile-instances.ts.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import type { Context } from '#iam/port.ts'
import { checkIfMatch } from './etags.ts'
import { groupNames } from './groups.ts'
import { nameOf } from './identity.ts'
import type { Instance } from './instance.ts'
import { instancesAround, interfacesOf } from './instance-around.ts'
import { createInstance, instanceNameTaken } from './instance-create.ts'
import { instanceGrant, instanceNotFound } from './instance-grants.ts'
import { checkProfile, planInstance, settingsFrom } from './instance-prototype.ts'
import { instanceEtag, instanceHref, instanceView, startReason } from './instance-reply.ts'
import { instancePatchNotYet, placementFilters } from './instance-schemas.ts'
import type { actionPrototype, instancePatch, instancePrototype, instanceQuery } from './instance-schemas.ts'
import { instanceAllowedIn, isInTransition } from './instance-state.ts'
import { checkName } from './names.ts'
import { networkAttachmentView, nicView } from './network-reply.ts'
import { listPage } from './listing.ts'
import { networksAsked } from './networks-asked.ts'
import { refuseNotYet } from './not-yet.ts'
import { pageLinks } from './page.ts'
import type { VpcParts } from './parts.ts'
import { finishInstance } from './reconcile-exports.ts'
import { proceedInstance } from './reconcile-instances.ts'
import { keyReference } from './ssh-keys.ts'
import { readAttachments, requestDetach } from './tables-attachments.ts'
import { imageNames, volumesBecomingImages } from './tables-images.ts'
import {
  beginAction,
  countListedInstances,
  isInstanceNameTaken,
  pageOfInstances,
  readInstance,
  readInstances,
  requestInstanceDeletion,
  updateInstance,
} from './tables-instances.ts'
import type { InstancePatch, ReadInstance, UpdateInstance } from './tables-instances.ts'
import { referredRecords } from './tables-records.ts'
import type { Selection, Within } from './tables-pages.ts'

export type Instances = ReturnType<typeof makeInstances>

export function makeInstances(parts: VpcParts) {
  const { database, outbox, region } = parts
  const { reads } = database

  async function views(context: Context, instances: readonly Instance[]) {
    const names = await groupNames(parts.resources, instances)
    const around = await instancesAround(reads, context.caller.accountId, instances)
    const images = await imageNames(
      reads,
      context.caller.accountId,
      instances.flatMap(({ imageId }) => imageId ?? []),
    )
    return instances.map((one) => instanceView(context.baseUrl, one, { ...around(one), groupNames: names, images }))
  }

  async function answer(context: Context, instance: Instance) {
    const [view] = await views(context, [instance])
    if (!view) throw instanceNotFound(instance.id)
    return reply(view, { etag: instanceEtag(instance) })
  }

  async function read(grant: ReadInstance | UpdateInstance, id: string): Promise<Instance> {
    const instance = await readInstance(reads, grant)
    if (!instance) throw instanceNotFound(id)
    return instance
  }

  async function interfaceOf(context: Context, instanceId: string, id: string) {
    await instanceGrant(parts, context, 'is.instance.instance.read', instanceId)
    const found = (await interfacesOf(reads, context.caller.accountId, [instanceId])).find(({ nic }) => nic.id === id)
    if (!found)
      throw new Fault('not_found', `network interface with id ${JSON.stringify(id.slice(0, 64))} is not found`)
    return found
  }

  return {
    async create(context: Context, body: Static<typeof instancePrototype>) {
      return await answer(context, await createInstance(parts, context, await planInstance(parts, context, body)))
    },

    async list(context: Context, query: Static<typeof instanceQuery>) {
      const at = { accountId: context.caller.accountId, region }
      const filter = {
        name: query.name,
        resourceGroupId: query['resource_group.id'],
        vpcIds: await networksAsked(reads, at, query),
        hasNone: asksForPlaced(query),
      }
      const listed = {
        kind: 'instance',
        action: 'is.instance.instance.list',
        locate: (selection: Selection) => pageOfInstances(reads, at, filter, selection),
        count: (within: Within) => countListedInstances(reads, at, filter, within),
      } as const
      const { page, leave } = await listPage(parts, context, listed, query)
      const { version: _version, generation: _generation, ...filters } = query
      return {
        ...pageLinks(page, `${context.baseUrl}/v1/instances`, filters),
        instances: await views(context, await readInstances(reads, leave)),
      }
    },

    async get(context: Context, id: string) {
      return await answer(context, await read(await instanceGrant(parts, context, 'is.instance.instance.read', id), id))
    },

    async update(context: Context, id: string, body: Static<typeof instancePatch>, ifMatch: string | undefined) {
      refuseNotYet(body, instancePatchNotYet)
      const name = body.name === undefined ? undefined : checkName(body.name)
      const profile = body.profile === undefined ? undefined : checkProfile(nameOf(body.profile, 'profile'))
      const grant = await instanceGrant(parts, context, 'is.instance.instance.update', id)
      const instance = await database.transaction(async (tx) => {
        const before = await readInstance(tx, grant)
        if (!before) throw instanceNotFound(id)
        checkIfMatch(ifMatch, instanceEtag(before), `instance ${id}`)
        if (profile !== undefined && profile !== before.profile && before.status !== 'stopped') throw notStopped(before)
        if (name !== undefined && (await isInstanceNameTaken(tx, before, name))) throw instanceNameTaken(name)
        const patch: InstancePatch = {
          settings: settingsFrom(body, before.settings, profile ?? before.profile),
          ...(name !== undefined && { name }),
          ...(profile !== undefined && { profile }),
        }
        if (Object.keys(body).length === 0) return before
        const after = await updateInstance(tx, grant, before.revision, patch)
        if (!after) throw wrongStatus('updated', before)
        const { accountId, crn: instanceCrn } = after
        const initiatorId = context.caller.iamId
        await outbox.append(tx, { type: 'vpc.instance.updated', accountId, initiatorId, instanceCrn })
        return after
      })
      return await answer(context, instance)
    },

    /** Volumes that are flagged go with it, by the leave that was asked for when they were attached. */
    async remove(context: Context, id: string, ifMatch: string | undefined): Promise<void> {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.delete', id)
      const instance = await database.transaction(async (tx) => {
        const before = await readInstance(tx, grant)
        if (before) checkIfMatch(ifMatch, instanceEtag(before), `instance ${id}`)
        const found = await requestInstanceDeletion(tx, grant)
        if (!found) return null
        const { accountId, crn: instanceCrn } = found
        const initiatorId = context.caller.iamId
        for (const attachment of await readAttachments(tx, [grant])) {
          if (!(await requestDetach(tx, grant, attachment.id))) continue
          const facts = { accountId, initiatorId, attachmentId: attachment.id, volumeCrn: attachment.volume.crn }
          await outbox.append(tx, { type: 'vpc.attachment.detach-requested', ...facts })
        }
        await outbox.append(tx, { type: 'vpc.instance.deletion-requested', accountId, initiatorId, instanceCrn })
        return found
      })
      if (instance) await orLater(parts, instance, () => finishInstance(parts, instance))
    },

    async act(context: Context, id: string, body: Static<typeof actionPrototype>) {
      const { type, force = false } = body
      const grant = await instanceGrant(parts, context, 'is.instance.instance.update', id)
      const begun = await database.transaction(async (tx) => {
        const before = await readInstance(tx, grant)
        if (!before) throw instanceNotFound(id)
        if (type === 'stop' && before.status === 'stopped') return null
        if (type === 'stop' && force && before.status === 'stopping') return before
        const attachments = type === 'stop' ? [] : await readAttachments(tx, [grant])
        const reason = startReason(attachments)
        const volumeIds = attachments.map(({ volume }) => volume.id)
        if ((await volumesBecomingImages(tx, volumeIds)).length > 0) throw becomingImage(before)
        if (reason && before.status === 'stopped') throw new Fault('conflict', `${reason.message} (${reason.code})`)
        const after = await beginAction(tx, grant, type)
        if (!after) throw wrongStatus(pastOf[type], before)
        const { accountId, crn: instanceCrn } = after
        const initiatorId = context.caller.iamId
        await outbox.append(tx, { type: `vpc.instance.${type}-requested`, accountId, initiatorId, instanceCrn })
        return after
      })
      if (begun) await orLater(parts, begun, () => proceedInstance(parts, begun, { force }))
      const now = begun && (await readInstance(reads, grant))
      return actionView(parts, context, id, { ...body, isDone: !now || !isInTransition(now.status) })
    },

    async initialization(context: Context, id: string) {
      const { settings } = await read(await instanceGrant(parts, context, 'is.instance.instance.read', id), id)
      const keys = await referredRecords(reads, 'key', context.caller.accountId, settings.keyIds)
      return { keys: Array.from(keys.values(), (key) => keyReference(context.baseUrl, key)) }
    },

    async listInterfaces(context: Context, id: string) {
      await instanceGrant(parts, context, 'is.instance.instance.read', id)
      const all = await interfacesOf(reads, context.caller.accountId, [id])
      return { network_interfaces: all.map(({ nic, ends }) => nicView(context.baseUrl, nic, ends)) }
    },

    async getInterface(context: Context, instanceId: string, id: string) {
      const { nic, ends } = await interfaceOf(context, instanceId, id)
      return nicView(context.baseUrl, nic, ends)
    },

    async listNetworkAttachments(context: Context, id: string) {
      await instanceGrant(parts, context, 'is.instance.instance.read', id)
      const all = await interfacesOf(reads, context.caller.accountId, [id])
      return {
        network_attachments: all.flatMap(({ nic, vni, ends }) =>
          vni ? [networkAttachmentView(context.baseUrl, nic, vni, ends)] : [],
        ),
      }
    },

    async getNetworkAttachment(context: Context, instanceId: string, id: string) {
      const { nic, vni, ends } = await interfaceOf(context, instanceId, id)
      if (vni) return networkAttachmentView(context.baseUrl, nic, vni, ends)
      throw new Fault('not_found', `network attachment with id ${JSON.stringify(id.slice(0, 64))} is not found`)
    },
  }
}

/** It has been accepted: where a disk does not answer, the instance stays as it is and the reconciler goes on. */
async function orLater(parts: VpcParts, instance: Instance, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    parts.log.warn({ err: error, instanceId: instance.id }, 'an instance will be seen to in the background')
  }
}

const pastOf = { start: 'started', stop: 'stopped', reboot: 'rebooted' } as const

/** VPC API, "InstanceAction". Actions are not kept: the instance shows what came of them. */
function actionView(
  parts: VpcParts,
  context: Context,
  id: string,
  body: Static<typeof actionPrototype> & { readonly isDone: boolean },
) {
  const actionId = makeUuid(parts.random)
  const at = rfc3339(parts.clock.now())
  return {
    ...(body.isDone && { completed_at: at }),
    created_at: at,
    force: body.force ?? false,
    href: `${instanceHref(context.baseUrl, id)}/actions/${actionId}`,
    id: actionId,
    started_at: at,
    status: body.isDone ? ('completed' as const) : ('running' as const),
    type: body.type,
  }
}

/** No machine here is placed, reserved, of the spot class or in a cluster network: who asks for such gets none. */
const asksForPlaced = (query: Static<typeof instanceQuery>): boolean =>
  query['availability.class'] === 'spot' ||
  (query['reservation_affinity.policy'] ?? 'disabled') !== 'disabled' ||
  Object.entries(query).some(([name, value]) => placementFilters.includes(name) && (value ?? 'null') !== 'null')

/** VPC API, `stopped_for_image_creation`. */
const becomingImage = ({ id }: Instance): Fault =>
  new Fault('conflict', `instance ${id} is stopped while an image of its boot volume is being made`, {
    reason: 'invalid_state',
  })

const notStopped = ({ id, status }: Instance): Fault =>
  new Fault(
    'conflict',
    `instance ${id} is ${status}: its profile changes while it is ${instanceAllowedIn.start.join()}`,
    {
      target: { type: 'field', name: 'profile' },
    },
  )

const wrongStatus = (what: string, { id, status }: Instance): Fault =>
  new Fault('conflict', `instance ${id} is ${status} and cannot be ${what}`)
