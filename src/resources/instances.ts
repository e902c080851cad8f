// Service instances: rows here, room for keys in the key manager. Creation is two steps, saved between: the row in state
// `provisioning`, then the key manager's side, then `active`. What a crash leaves in between `finishProvisioning` ends.

import type { Clock } from '#base/clock.ts'
import { formatCrn, parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { isUuid, makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Caller, Context, IamPort, Target } from '#iam/port.ts'
import type { KmsPort } from '#kms/port.ts'
import type { Database } from '#store/database.ts'
import type { Groups } from './groups.ts'
import { planById, regionOfTarget } from './plans.ts'
import type { Plan } from './plans.ts'
import {
  insertFirstInstance,
  insertInstance,
  moveInstance,
  selectInstance,
  selectInstances,
  selectInstancesInState,
} from './tables.ts'
import type { InstanceFilter, InstanceRow } from './tables.ts'

export interface NewInstance {
  readonly name: string
  readonly planId: string
  readonly target: string
  readonly resourceGroupId: string
  readonly parameters: Readonly<Record<string, unknown>>
  readonly allowCleanup: boolean
}

export interface Page {
  readonly instances: readonly InstanceRow[]
  /** The GUID after which the next page begins, or null. */
  readonly next: string | null
}

export type Instances = ReturnType<typeof makeInstances>

export const instanceCrn = (row: InstanceRow): string =>
  formatCrn({
    serviceName: row.service_name,
    location: row.region,
    accountId: row.account_id,
    serviceInstance: row.guid,
  })

export function makeInstances(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly iam: IamPort
  readonly kms: KmsPort
  readonly groups: Groups
}) {
  const { database, outbox, clock, random, iam, kms, groups } = parts

  async function create(context: Context, request: NewInstance): Promise<InstanceRow> {
    const { caller } = context
    const plan = planById(request.planId)
    if (!plan) throw refusal('resource_plan_id', `no plan ${JSON.stringify(request.planId)} can be provisioned here`)
    const region = regionOfTarget(request.target, plan)
    if (!region) throw refusal('target', 'target is neither a region nor a deployment of the plan')
    const group = await groups.group(caller.accountId, request.resourceGroupId)
    if (!group) throw refusal('resource_group', 'resource group does not exist in this account')

    const row = newRow(request, plan, region, caller)
    const grant = await iam.authorize(caller, 'resource-controller.instance.create', targetOf(row))
    await database.transaction(async (tx) => {
      await insertInstance(tx, grant, row)
      await outbox.append(tx, {
        type: 'resources.instance.created',
        accountId: row.account_id,
        initiatorId: caller.iamId,
        instanceCrn: instanceCrn(row),
      })
    })
    await provision(row)
    return { ...row, state: 'active' }
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
      created_at: at,
      created_by: caller.iamId,
      updated_at: at,
      deleted_at: null,
      deleted_by: null,
    }
  }

  async function provision(row: InstanceRow): Promise<void> {
    await kms.createInstance({
      id: row.guid,
      serviceName: 'kms',
      accountId: row.account_id,
      region: row.region,
      resourceGroupId: row.resource_group_id,
    })
    const at = clock.now()
    await database.transaction((tx) => moveInstance(tx, { guid: row.guid, from: 'provisioning', to: 'active', at }))
  }

  /** Ends what a crash or an unreachable key manager left half done. */
  async function finishProvisioning(): Promise<void> {
    for (const row of await selectInstancesInState(database.reads, 'provisioning')) await provision(row)
  }

  async function get(context: Context, id: string): Promise<InstanceRow> {
    const row = await find(context, id)
    await iam.authorize(context.caller, 'resource-controller.instance.retrieve', targetOf(row))
    return row
  }

  async function find(context: Context, id: string): Promise<InstanceRow> {
    const guid = isUuid(id) ? id : (parseCrn(id)?.serviceInstance ?? '')
    const row = await selectInstance(database.reads, context.caller.accountId, guid)
    if (!row) throw new Fault('not_found', 'service instance does not exist in this account')
    return row
  }

  /** Those that the caller may see. Filtering after the query means that a page may be short of `limit` before the end. */
  async function list(context: Context, filter: InstanceFilter, after: string | null, limit: number): Promise<Page> {
    const rows = await selectInstances(database.reads, context.caller.accountId, filter, after, limit + 1)
    const page = rows.slice(0, limit)
    const seen: InstanceRow[] = []
    for (const row of page) {
      const decision = await iam.decide(context.caller, 'resource-controller.instance.retrieve', targetOf(row))
      if (decision.permitted) seen.push(row)
    }
    return { instances: seen, next: rows.length > limit ? (page.at(-1)?.guid ?? null) : null }
  }

  /** The key manager refuses while keys remain; a removed instance stays readable in state `removed`. */
  async function remove(context: Context, id: string): Promise<void> {
    const row = await find(context, id)
    await iam.authorize(context.caller, 'resource-controller.instance.delete', targetOf(row))
    if (row.state === 'removed') throw new Fault('gone', 'service instance was removed')
    await kms.deleteInstance(row.guid)
    await database.transaction(async (tx) => {
      const at = clock.now()
      const by = context.caller.iamId
      if (!(await moveInstance(tx, { guid: row.guid, from: row.state, to: 'removed', at, by }))) return
      const event = { type: 'resources.instance.deleted', accountId: row.account_id, initiatorId: by } as const
      await outbox.append(tx, { ...event, instanceCrn: instanceCrn(row) })
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
    const fixed = { service_name: 'kms', state: 'provisioning', parameters: '{}', allow_cleanup: 0 }
    const row: InstanceRow = { ...first, ...fixed, created_at: at, updated_at: at, deleted_at: null, deleted_by: null }
    await database.transaction(async (tx) => {
      if (!(await insertFirstInstance(tx, row))) return
      const event = { type: 'resources.instance.created', accountId: row.account_id } as const
      await outbox.append(tx, { ...event, instanceCrn: instanceCrn(row) })
    })
    await provision(row)
  }

  return { create, get, list, remove, finishProvisioning, ensureFirst }
}

const targetOf = (row: InstanceRow): Target => ({
  accountId: row.account_id,
  serviceName: row.service_name,
  serviceInstance: row.guid,
  region: row.region,
  resourceGroupId: row.resource_group_id,
})

const refusal = (name: string, message: string): Fault =>
  new Fault('invalid', message, { target: { type: 'field', name } })
