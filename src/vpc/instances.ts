// Instances, as requests reach them: records of machines that their users run themselves, so that volumes can be
// attached.

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { instancesPerAccountMax } from '#base/limits.ts'
import type { Context } from '#iam/port.ts'
import { groupForNew, groupNames } from './groups.ts'
import { nameOf } from './identity.ts'
import { makeInstanceId, vpcCrn } from './ids.ts'
import type { Instance } from './instance.ts'
import { instanceView } from './instance-reply.ts'
import { instancePrototypeNotYet } from './instance-schemas.ts'
import type { instancePrototype, instanceQuery } from './instance-schemas.ts'
import { checkName, makeName, nameDrawsMax } from './names.ts'
import { refuseNotYet } from './not-yet.ts'
import { pageLinks, pageOf } from './page.ts'
import type { VpcParts } from './parts.ts'
import { finishInstance } from './reconcile-exports.ts'
import { checkZone } from './regions.ts'
import { readAttachments, requestDetach } from './tables-attachments.ts'
import {
  countInstances,
  insertInstance,
  locateInstance,
  locateInstances,
  readInstance,
  readInstances,
  requestInstanceDeletion,
} from './tables-instances.ts'
import type { CreateInstance, ReadInstance } from './tables-instances.ts'
import { grantsFor, newTarget, targetOf, visibleOf } from './targets.ts'

/** VPC API, "InstancePrototype": the default profile, which here only names what the user's machine is like. */
const defaultProfile = 'bxf-2x8'

export type Instances = ReturnType<typeof makeInstances>

export function makeInstances(parts: VpcParts) {
  const { database, iam, outbox, region } = parts

  async function views(context: Context, instances: readonly Instance[], grants: readonly ReadInstance[]) {
    const names = await groupNames(parts.resources, instances)
    const attachments = await readAttachments(database.reads, grants)
    return instances.map((instance) =>
      instanceView(context.baseUrl, instance, {
        groupNames: names,
        attachments: attachments.filter((attachment) => attachment.instanceId === instance.id),
      }),
    )
  }

  async function insert(context: Context, grant: CreateInstance, wanted: Wanted): Promise<Instance> {
    for (let draw = 0; draw < nameDrawsMax; draw++) {
      const instance = draft(parts, grant, wanted)
      const { accountId, crn: instanceCrn } = instance
      const inserted = await database.transaction(async (tx) => {
        if ((await countInstances(tx, grant, region)) >= instancesPerAccountMax) throw quotaReached()
        if (!(await insertInstance(tx, grant, instance))) return false
        const initiatorId = context.caller.iamId
        await outbox.append(tx, { type: 'vpc.instance.created', accountId, initiatorId, instanceCrn })
        return true
      })
      if (inserted) return instance
      if (wanted.name !== null) throw nameTaken(wanted.name)
    }
    throw new Fault('unavailable', 'no free name was found for the instance')
  }

  return {
    async create(context: Context, body: Static<typeof instancePrototype>) {
      const { accountId } = context.caller
      const wanted = parseInstancePrototype(body, region)
      const group = await groupForNew(parts.resources, 'instance', accountId, body.resource_group?.id ?? null)
      const place = newTarget('instance', { accountId, region, resourceGroupId: group.id })
      const grant = await iam.authorize(context.caller, 'is.instance.instance.create', place)
      const instance = await insert(context, grant, { ...wanted, resourceGroupId: group.id })
      const around = { groupNames: new Map([[group.id, group.name]]), attachments: [] }
      return instanceView(context.baseUrl, instance, around)
    },

    async list(context: Context, query: Static<typeof instanceQuery>) {
      const { caller } = context
      const action = 'is.instance.instance.list'
      const group = query['resource_group.id']
      const matching = (await locateInstances(database.reads, caller.accountId, region)).filter(
        (instance) =>
          (query.name === undefined || instance.name === query.name) &&
          (group === undefined || instance.resourceGroupId === group),
      )
      const visible = await visibleOf(iam, { caller, action, kind: 'instance', region }, matching)
      const page = pageOf(visible, query)
      const grants = await grantsFor(iam, caller, action, 'instance', page.items)
      const instances = await readInstances(database.reads, grants)
      const { version: _version, generation: _generation, ...filters } = query
      return {
        ...pageLinks(page, `${context.baseUrl}/v1/instances`, filters),
        instances: await views(context, instances, grants),
      }
    },

    async get(context: Context, id: string) {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.read', id)
      const instance = await readInstance(database.reads, grant)
      const [view] = instance ? await views(context, [instance], [grant]) : []
      if (!view) throw instanceNotFound(id)
      return view
    },

    /** Volumes that are flagged go with it, by the leave that was asked for when they were attached. */
    async remove(context: Context, id: string): Promise<void> {
      const grant = await instanceGrant(parts, context, 'is.instance.instance.delete', id)
      const instance = await database.transaction(async (tx) => {
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
      if (instance) await finishOrLater(parts, instance)
    },
  }
}

/**
 * The deletion has been accepted: where a disk does not answer, the instance stays `deleting` and the reconciler goes
 * on.
 */
async function finishOrLater(parts: VpcParts, instance: Instance): Promise<void> {
  try {
    await finishInstance(parts, instance)
  } catch (error) {
    parts.log.warn({ err: error, instanceId: instance.id }, 'an instance will be deleted in the background')
  }
}

interface Wanted {
  readonly name: string | null
  readonly zone: string
  readonly profile: string
  readonly resourceGroupId: string
}

function parseInstancePrototype(body: Static<typeof instancePrototype>, region: string) {
  refuseNotYet(body, instancePrototypeNotYet)
  return {
    name: body.name === undefined ? null : checkName(body.name),
    zone: checkZone(region, nameOf(body.zone, 'zone')),
    profile: body.profile === undefined ? defaultProfile : checkProfile(nameOf(body.profile, 'profile')),
  }
}

/** Any profile may be named; what it is like is between the user and his machine. */
function checkProfile(name: string): string {
  if (/^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/.test(name)) return name
  const target = { type: 'field', name: 'profile.name' } as const
  throw new Fault('invalid', 'profile.name is not the name of an instance profile', { reason: 'bad_field', target })
}

function draft(parts: VpcParts, grant: CreateInstance, wanted: Wanted): Instance {
  const { accountId } = grant.target
  const id = makeInstanceId(parts.random, wanted.zone)
  return {
    id,
    accountId,
    region: parts.region,
    zone: wanted.zone,
    name: wanted.name ?? makeName(parts.random),
    crn: vpcCrn('instance', { accountId, zone: wanted.zone }, id),
    resourceGroupId: wanted.resourceGroupId,
    profile: wanted.profile,
    status: 'running',
    createdAt: parts.clock.now(),
  }
}

/** Leave on one instance. Another account's reads as one that does not exist. */
export async function instanceGrant<Action extends string>(
  parts: VpcParts,
  context: Context,
  action: Action,
  id: string,
) {
  const { accountId } = context.caller
  const place = await locateInstance(parts.database.reads, { accountId, region: parts.region, id })
  if (!place) throw instanceNotFound(id)
  return await parts.iam.authorize(context.caller, action, targetOf('instance', place))
}

export const instanceNotFound = (id: string): Fault =>
  new Fault('not_found', `instance with id ${JSON.stringify(id.slice(0, 64))} is not found`)

const nameTaken = (name: string): Fault =>
  new Fault('invalid', `Instance with name "${name}" already exists`, {
    reason: 'instance_name_exists',
    target: { type: 'field', name: 'name' },
  })

const quotaReached = (): Fault =>
  new Fault('invalid', `the account has ${instancesPerAccountMax} instances in this region, which is its quota`, {
    reason: 'over_quota',
  })
