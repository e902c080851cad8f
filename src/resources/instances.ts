// Service instances that are there: found, listed, changed, locked, deleted. What takes two steps is saved between them,
// and provisioning.ts has the second ones; how an instance begins is in instance-create.ts.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { reclamationMs } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Context, Grant, IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { guidOf, instanceCrn, instanceEvent, instanceTarget, noInstance, noLocation, operation } from './instance.ts'
import type { Keys } from './keys.ts'
import { parsePlanHistory, printPlanHistory, refusal } from './instance.ts'
import type { PlainInstanceEvent } from './instance.ts'
import { changeable, moves } from './instance-state.ts'
import type { InstanceState } from './instance-state.ts'
import { locationsOf, planById } from './plans.ts'
import type { Plan } from './plans.ts'
import type { Provisioning } from './provisioning.ts'
import { insertReclamation } from './tables-reclamations.ts'
import { changeInstance, selectInstance, selectInstances } from './tables.ts'
import type { InstanceFilter, InstancePlace, InstanceRow } from './tables.ts'

/** What is left out stays as it is. */
export interface InstancePatch {
  readonly name?: string
  readonly parameters?: Readonly<Record<string, unknown>>
  readonly planId?: string
  readonly allowCleanup?: boolean
}

export interface InstancePageRequest {
  readonly filter: InstanceFilter
  readonly direction: 'asc' | 'desc'
  readonly after: InstancePlace | null
  readonly limit: number
}

export interface InstancePage {
  readonly instances: readonly InstanceRow[]
  /** Where the next page goes on, or null. */
  readonly next: InstancePlace | null
}

export type Instances = ReturnType<typeof makeInstances>

export function makeInstances(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly iam: IamPort
  readonly region: string
  readonly provisioning: Provisioning
  readonly keys: Pick<Keys, 'removeAll'>
}) {
  const { database, outbox, clock, random, iam, provisioning, keys } = parts

  async function get(context: Context, id: string): Promise<InstanceRow> {
    const row = await find(context, id)
    await iam.authorize(context.caller, 'resource-controller.instance.retrieve', instanceTarget(row))
    return row
  }

  async function find({ caller }: Context, id: string): Promise<InstanceRow> {
    const guid = guidOf(id)
    const row = guid === null ? null : await selectInstance(database.reads, caller.accountId, guid)
    if (!row || (id !== row.guid && id !== instanceCrn(row))) throw noInstance()
    return row
  }

  /** Those that the caller may see; a page is filled as long as there are any. */
  async function list(context: Context, request: InstancePageRequest): Promise<InstancePage> {
    const seen: InstanceRow[] = []
    let { after } = request
    for (;;) {
      const limit = request.limit + 1
      const rows = await selectInstances(database.reads, context.caller.accountId, { ...request, after, limit })
      for (const row of rows) {
        if (seen.length === request.limit) return { instances: seen, next: after }
        after = { createdAt: row.created_at, guid: row.guid }
        const decision = await iam.decide(context.caller, 'resource-controller.instance.retrieve', instanceTarget(row))
        if (decision.permitted) seen.push(row)
      }
      if (rows.length < limit) return { instances: seen, next: null }
    }
  }

  async function update(context: Context, id: string, patch: InstancePatch): Promise<InstanceRow> {
    const row = await find(context, id)
    const grant = await iam.authorize(context.caller, 'resource-controller.instance.update', instanceTarget(row))
    const plan = patch.planId === undefined ? null : newPlan(row, patch.planId)
    const history = parsePlanHistory(row.plan_history)
    const set: Partial<InstanceRow> = {
      ...(patch.name !== undefined && { name: patch.name }),
      ...(patch.parameters !== undefined && { parameters: JSON.stringify(patch.parameters) }),
      ...(patch.allowCleanup !== undefined && { allow_cleanup: patch.allowCleanup ? 1 : 0 }),
      ...(plan && {
        plan_id: plan.planId,
        plan_history: printPlanHistory([
          ...history,
          { planId: plan.planId, at: clock.now(), by: context.caller.iamId },
        ]),
      }),
      ...operation('update', plan ? 'plan' : 'config'),
    }
    await change(context, grant, row, { from: changeable, ifUnlocked: true }, set, 'resources.instance.updated')
    return await find(context, row.guid)
  }

  /** The plan that the instance changes to, or null where it has it already. */
  function newPlan(row: InstanceRow, planId: string): Plan | null {
    if (planId === row.plan_id) return null
    const plan = planById(planId)
    if (plan?.serviceName !== row.service_name) {
      throw refusal('resource_plan_id', `${JSON.stringify(planId)} is no plan of ${row.service_name}`)
    }
    if (!locationsOf(plan, parts.region).includes(row.region)) throw noLocation('resource_plan_id', plan)
    return plan
  }

  async function lock(context: Context, id: string): Promise<InstanceRow> {
    const row = await find(context, id)
    const grant = await iam.authorize(context.caller, 'resource-controller.instance.lock', instanceTarget(row))
    const set = { locked: 1, ...operation('lock') }
    await change(context, grant, row, { from: changeable, ifUnlocked: false }, set, 'resources.instance.locked')
    return await find(context, row.guid)
  }

  async function unlock(context: Context, id: string): Promise<InstanceRow> {
    const row = await find(context, id)
    const grant = await iam.authorize(context.caller, 'resource-controller.instance.unlock', instanceTarget(row))
    const set = { locked: 0, ...operation('unlock') }
    await change(context, grant, row, { from: changeable, ifUnlocked: false }, set, 'resources.instance.unlocked')
    return await find(context, row.guid)
  }

  /** Where the plan says so, the instance waits for its reclamation; otherwise it is removed at once. */
  async function remove(context: Context, id: string, isRecursive = false): Promise<void> {
    const row = await find(context, id)
    const grant = await iam.authorize(context.caller, 'resource-controller.instance.delete', instanceTarget(row))
    if (row.state === changeable && row.locked === 0) await keys.removeAll(context, row, isRecursive)
    if (planById(row.plan_id)?.isReclaimable) return await scheduleReclamation(context, grant, row)
    const { from, to } = moves.remove
    const set = { state: to, ...operation('delete', '', 'in progress') }
    await change(context, grant, row, { from, ifUnlocked: true }, set, 'resources.instance.removal-requested')
    await provisioning.finishRemoval(await find(context, row.guid))
  }

  async function scheduleReclamation({ caller }: Context, grant: Grant, row: InstanceRow): Promise<void> {
    const { from, to } = moves.scheduleReclamation
    const at = clock.now()
    const by = caller.iamId
    const targetAt = at + reclamationMs
    const scheduled = { scheduled_reclaim_at: at, scheduled_reclaim_by: by, updated_at: at, updated_by: by }
    const set = { ...scheduled, state: to, ...operation('reclamation', 'pending') }
    const done = await database.transaction(async (tx) => {
      if (!(await changeInstance(tx, grant, { guid: row.guid, from, ifUnlocked: true }, set))) return false
      await insertReclamation(tx, grant, {
        id: makeUuid(random),
        account_id: row.account_id,
        instance_guid: row.guid,
        resource_group_id: row.resource_group_id,
        target_at: targetAt,
        created_at: at,
        created_by: by,
      })
      const event = instanceEvent(row, caller, { type: 'resources.instance.reclamation-scheduled', targetAt })
      await outbox.append(tx, event)
      return true
    })
    if (!done) throw await whyNot(row)
  }

  /** Resource Controller API, "Cancel the in progress last operation": the instance is removed afterwards. */
  async function cancel(context: Context, id: string): Promise<InstanceRow> {
    const row = await find(context, id)
    const grant = await iam.authorize(context.caller, 'resource-controller.instance.delete', instanceTarget(row))
    if (row.state !== 'provisioning') throw new Fault('unprocessable', 'no operation of the instance is in progress')
    const { from, to } = moves.cancelProvisioning
    const set = { state: to, ...operation('cancel', '', 'in progress') }
    await change(context, grant, row, { from, ifUnlocked: false }, set, 'resources.instance.removal-requested')
    await provisioning.finishRemoval(await find(context, row.guid))
    return await find(context, row.guid)
  }

  async function change(
    { caller }: Context,
    grant: Grant,
    row: InstanceRow,
    when: { readonly from: InstanceState; readonly ifUnlocked: boolean },
    set: Partial<InstanceRow>,
    type: PlainInstanceEvent,
  ): Promise<void> {
    const done = await database.transaction(async (tx) => {
      const touched = { ...set, updated_at: clock.now(), updated_by: caller.iamId }
      if (!(await changeInstance(tx, grant, { guid: row.guid, ...when }, touched))) return false
      await outbox.append(tx, instanceEvent(row, caller, { type }))
      return true
    })
    if (!done) throw await whyNot(row)
  }

  async function whyNot({ account_id, guid }: InstanceRow): Promise<Fault> {
    const row = await selectInstance(database.reads, account_id, guid)
    if (!row) return noInstance()
    switch (row.state) {
      case 'removed':
        return new Fault('gone', 'service instance was removed')
      case 'pending_reclamation':
        return new Fault('unprocessable', 'service instance is in reclamation: restore or reclaim it there')
      case 'active':
        return row.locked === 1
          ? new Fault('invalid', 'service instance is locked: unlock it first')
          : new Fault('conflict', 'service instance was changed by another request')
      default:
        return new Fault('conflict', `service instance is ${row.state}: another operation is in progress`)
    }
  }

  return { get, list, update, lock, unlock, remove, cancel }
}
