// The second halves: what is done with a broker after the first half has been committed. A crash in between leaves the
// state `provisioning` or `pending_removal`, and the consumer comes here with it. Each may run twice, and two at a time:
// who moves the row tells of it, who comes too late undoes what he did.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Event } from '#events/event.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import type { Broker, Brokers } from './brokers.ts'
import { instanceCrn, operation } from './instance.ts'
import { moves } from './instance-state.ts'
import type { Move } from './instance-state.ts'
import { planById } from './plans.ts'
import { deleteTaggingsOf } from './tables-tags.ts'
import { finishInstance, selectInstance, selectInstancesInState } from './tables.ts'
import type { InstanceRow } from './tables.ts'

export type Provisioning = ReturnType<typeof makeProvisioning>

export function makeProvisioning(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly brokers: Brokers
}) {
  const { database, outbox, clock, brokers } = parts

  function brokerOf(row: InstanceRow): Broker {
    const plan = planById(row.plan_id)
    if (!plan) throw new Error(`instance ${row.guid} has a plan that is not in the catalog`)
    return brokers[plan.serviceName]
  }

  const now = async (row: InstanceRow): Promise<InstanceRow> =>
    (await selectInstance(database.reads, row.account_id, row.guid)) ?? row

  /** `provisioning` to `active`. The instance as it is afterwards. */
  async function provision(row: InstanceRow): Promise<InstanceRow> {
    await brokerOf(row).create(row)
    const event = { type: 'resources.instance.activated', instanceCrn: instanceCrn(row) } as const
    const done = await finish(row, 'finishProvisioning', operation(row.operation_type), event)
    const after = await now(row)
    // Cancelled meanwhile, and perhaps before the broker had made what its removal did not find.
    if (!done && (after.state === 'pending_removal' || after.state === 'removed')) await brokerOf(row).remove(row)
    return after
  }

  /** `pending_removal` to `removed`; back to `active` where the broker refuses, and its Fault goes on to the caller. */
  async function finishRemoval(row: InstanceRow): Promise<void> {
    try {
      await brokerOf(row).remove(row)
    } catch (error) {
      if (error instanceof Fault && error.code === 'conflict') await undoRemoval(row, error.message)
      throw error
    }
    const at = clock.now()
    const set = { ...finished(row, 'succeeded'), deleted_at: at, deleted_by: row.updated_by }
    const event = { type: 'resources.instance.deleted', instanceCrn: instanceCrn(row) } as const
    const done = await finish(row, 'finishRemoval', set, event)
    if (!done && (await now(row)).state === 'active') await brokerOf(row).create(row)
  }

  async function undoRemoval(row: InstanceRow, reason: string): Promise<void> {
    const event = { type: 'resources.instance.removal-refused', instanceCrn: instanceCrn(row), reason } as const
    await finish(row, 'undoRemoval', finished(row, 'failed'), event)
  }

  type About<E> = E extends Event ? Omit<E, 'accountId' | 'initiatorId'> : never

  async function finish(
    row: InstanceRow,
    move: Move,
    set: Partial<InstanceRow>,
    event: About<Event>,
  ): Promise<boolean> {
    const { from, to } = moves[move]
    return await database.transaction(async (tx) => {
      const change = { ...set, state: to, updated_at: clock.now() }
      if (!(await finishInstance(tx, { guid: row.guid, from }, change))) return false
      if (to === 'removed') await deleteTaggingsOf(tx, row.account_id, instanceCrn(row))
      await outbox.append(tx, { ...event, accountId: row.account_id, initiatorId: row.updated_by })
      return true
    })
  }

  /** Ends everything that a crash or an unreachable broker left half done. One that cannot be ended holds up no other. */
  async function finishAll(): Promise<void> {
    const failures: unknown[] = []
    for (const row of await selectInstancesInState(database.reads, 'provisioning')) {
      await provision(row).catch((error: unknown) => failures.push(error))
    }
    for (const row of await selectInstancesInState(database.reads, 'pending_removal')) {
      // A conflict has been answered: the instance is active again.
      await finishRemoval(row).catch((error: unknown) => {
        if (!(error instanceof Fault && error.code === 'conflict')) failures.push(error)
      })
    }
    if (failures.length > 0) throw new AggregateError(failures, 'instances could not be provisioned or removed')
  }

  return { provision, finishRemoval, finishAll }
}

/** The last operation, with its end. */
const finished = (row: InstanceRow, state: 'succeeded' | 'failed') => ({
  ...operation(row.operation_type, '', state),
  operation_sub_type: row.operation_sub_type,
})
