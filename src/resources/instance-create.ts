// How a service instance begins: its row in state `provisioning`, then the broker's side, then `active`. Tags that were
// asked for are attached with the row.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Caller, Context, Grant, IamPort } from '#iam/port.ts'
import type { Database, Tx } from '#store/database.ts'
import type { Brokers } from './brokers.ts'
import { instanceCrn, instanceEvent, instanceTarget, noLocation, operation } from './instance.ts'
import { printPlanHistory, refusal } from './instance.ts'
import { locationOfTarget, planById } from './plans.ts'
import type { Plan } from './plans.ts'
import type { Provisioning } from './provisioning.ts'
import { insertTaggings, insertTags } from './tables-tags.ts'
import { insertFirstInstance, insertInstance, selectGroup } from './tables.ts'
import type { InstanceRow } from './tables.ts'

export interface NewInstance {
  readonly name: string
  readonly planId: string
  readonly target: string
  readonly resourceGroupId: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly allowCleanup: boolean
  readonly isLocked: boolean
  /** User tags, as tag-name.ts has read them. */
  readonly tags: readonly string[]
}

export type InstanceCreation = ReturnType<typeof makeInstanceCreation>

export function makeInstanceCreation(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly iam: IamPort
  readonly region: string
  readonly brokers: Brokers
  readonly provisioning: Provisioning
}) {
  const { database, outbox, clock, random, iam, brokers, provisioning } = parts

  async function create(context: Context, request: NewInstance): Promise<InstanceRow> {
    const { caller } = context
    const plan = planById(request.planId)
    if (!plan) throw refusal('resource_plan_id', `no plan ${JSON.stringify(request.planId)} can be provisioned here`)
    const region = locationOfTarget(request.target, plan, parts.region)
    if (region === null) throw noLocation('target', plan)
    const row = newRow(request, plan, region, caller)
    const grant = await iam.authorize(caller, 'resource-controller.instance.create', instanceTarget(row))
    const tagGrant =
      request.tags.length > 0
        ? await iam.authorize(caller, 'global-search-tagging.tag.attach-user-tag', instanceTarget(row))
        : null
    const why = brokers[plan.serviceName].refusal
    if (why !== null) throw new Fault('conflict', why)

    await database.transaction(async (tx) => {
      await checkGroup(tx, row)
      await insertInstance(tx, grant, row)
      if (tagGrant) await attach(tx, tagGrant, row, request.tags)
      await outbox.append(tx, instanceEvent(row, caller, { type: 'resources.instance.created' }))
    })
    return await provisioning.provision(row)
  }

  function newRow(request: NewInstance, plan: Plan, region: string, caller: Caller): InstanceRow {
    const at = clock.now()
    return {
      guid: makeUuid(random),
      account_id: caller.accountId,
      name: request.name,
      service_name: plan.serviceName,
      plan_id: plan.planId,
      region,
      resource_group_id: request.resourceGroupId,
      state: 'provisioning',
      parameters: JSON.stringify(request.parameters),
      allow_cleanup: request.allowCleanup ? 1 : 0,
      locked: request.isLocked ? 1 : 0,
      plan_history: printPlanHistory([{ planId: plan.planId, at, by: caller.iamId }]),
      ...operation('create', '', 'in progress'),
      created_at: at,
      created_by: caller.iamId,
      updated_at: at,
      updated_by: caller.iamId,
      ...untouched,
    }
  }

  /** In the transaction, so that no instance lands in a group that is being deleted. */
  async function checkGroup(tx: Tx, row: InstanceRow): Promise<void> {
    const group = await selectGroup(tx, row.account_id, row.resource_group_id)
    if (!group) throw refusal('resource_group', 'resource group does not exist in this account')
    if (group.state !== 'ACTIVE') throw refusal('resource_group', 'resource group is suspended')
  }

  async function attach(tx: Tx, grant: Grant, row: InstanceRow, names: readonly string[]): Promise<void> {
    const kind = { accountId: row.account_id, type: 'user' }
    await insertTags(tx, grant, kind, names, clock.now())
    await insertTaggings(tx, grant, kind, instanceCrn(row), names)
    const about = { accountId: row.account_id, initiatorId: row.created_by }
    await outbox.append(tx, {
      ...about,
      type: 'resources.tag.attached',
      tagType: 'user',
      names,
      resourceCrn: instanceCrn(row),
    })
  }

  /** The key manager instance that an account of the first run begins with. May be repeated. */
  async function ensureFirst(
    first: Pick<
      InstanceRow,
      'guid' | 'account_id' | 'name' | 'plan_id' | 'region' | 'resource_group_id' | 'created_by'
    >,
  ): Promise<void> {
    const at = clock.now()
    const row: InstanceRow = {
      ...first,
      service_name: 'kms',
      state: 'provisioning',
      parameters: '{}',
      allow_cleanup: 0,
      locked: 0,
      plan_history: printPlanHistory([{ planId: first.plan_id, at, by: first.created_by }]),
      ...operation('create', '', 'in progress'),
      created_at: at,
      updated_at: at,
      updated_by: first.created_by,
      ...untouched,
    }
    await database.transaction(async (tx) => {
      if (!(await insertFirstInstance(tx, row))) return
      await outbox.append(tx, {
        type: 'resources.instance.created',
        accountId: row.account_id,
        initiatorId: row.created_by,
        instanceCrn: instanceCrn(row),
      })
    })
    await provisioning.provision(row)
  }

  return { create, ensureFirst }
}

const untouched = {
  deleted_at: null,
  deleted_by: null,
  scheduled_reclaim_at: null,
  scheduled_reclaim_by: null,
  restored_at: null,
  restored_by: null,
}
