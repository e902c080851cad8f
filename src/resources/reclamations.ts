// Reclamations: deleted instances that wait to be removed for good. Source: Resource Controller API v2, "Reclamations".
// One that has been reclaimed or restored is not listed any more; its instance tells what became of it.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Event } from '#events/event.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Context, IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { instanceCrn, instanceTarget, operation } from './instance.ts'
import { moves } from './instance-state.ts'
import type { Provisioning } from './provisioning.ts'
import {
  deleteReclamation,
  selectDueReclamations,
  selectReclamation,
  selectReclamations,
} from './tables-reclamations.ts'
import type { ReclamationRow } from './tables-reclamations.ts'
import { changeInstance, finishInstance, selectInstance } from './tables.ts'
import type { InstanceRow } from './tables.ts'

export interface ReclamationFilter {
  readonly accountId: string | undefined
  readonly instanceGuid: string | undefined
  readonly resourceGroupId: string | undefined
}

export interface Reclamation {
  readonly row: ReclamationRow
  readonly instance: InstanceRow
  readonly state: 'SCHEDULED' | 'RECLAIMING' | 'RESTORING'
}

export type Reclamations = ReturnType<typeof makeReclamations>

export function makeReclamations(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly iam: IamPort
  readonly provisioning: Provisioning
}) {
  const { database, outbox, clock, iam, provisioning } = parts

  async function list({ caller }: Context, filter: ReclamationFilter): Promise<readonly Reclamation[]> {
    if (filter.accountId !== undefined && filter.accountId !== caller.accountId) return []
    const seen: Reclamation[] = []
    for (const row of await selectReclamations(database.reads, caller.accountId, filter)) {
      const instance = await selectInstance(database.reads, row.account_id, row.instance_guid)
      if (!instance) continue
      const decision = await iam.decide(caller, 'resource-controller.instance.retrieve', instanceTarget(instance))
      if (decision.permitted) seen.push({ row, instance, state: 'SCHEDULED' })
    }
    return seen
  }

  async function run(context: Context, id: string, action: string): Promise<Reclamation> {
    const row = await selectReclamation(database.reads, context.caller.accountId, id)
    const instance = row && (await selectInstance(database.reads, row.account_id, row.instance_guid))
    if (!row || !instance) throw new Fault('not_found', 'reclamation does not exist in this account')
    if (action === 'restore') return await restore(context, row, instance)
    if (action === 'reclaim') return await reclaim(context, row, instance)
    throw new Fault('invalid', `no action ${JSON.stringify(action.slice(0, 40))}: it is reclaim or restore`)
  }

  async function restore({ caller }: Context, row: ReclamationRow, instance: InstanceRow): Promise<Reclamation> {
    const grant = await iam.authorize(caller, 'resource-controller.instance.update', instanceTarget(instance))
    const { from, to } = moves.restore
    const at = clock.now()
    const by = { restored_at: at, restored_by: caller.iamId, updated_at: at, updated_by: caller.iamId }
    const set = { ...by, state: to, scheduled_reclaim_at: null, scheduled_reclaim_by: null }
    await database.transaction(async (tx) => {
      const which = { guid: instance.guid, from, ifUnlocked: false }
      if (!(await changeInstance(tx, grant, which, { ...set, ...operation('reclamation', 'restore') }))) throw over()
      await deleteReclamation(tx, row.id)
      await outbox.append(tx, { ...about(instance, caller.iamId), type: 'resources.instance.restored' })
    })
    return { row, instance, state: 'RESTORING' }
  }

  async function reclaim({ caller }: Context, row: ReclamationRow, instance: InstanceRow): Promise<Reclamation> {
    const grant = await iam.authorize(caller, 'resource-controller.instance.delete', instanceTarget(instance))
    const { from } = moves.reclaim
    const set = reclaimed(caller.iamId)
    await database.transaction(async (tx) => {
      if (!(await changeInstance(tx, grant, { guid: instance.guid, from, ifUnlocked: false }, set))) throw over()
      await deleteReclamation(tx, row.id)
      const event: Event = { ...about(instance, caller.iamId), type: 'resources.instance.removal-requested' }
      await outbox.append(tx, event)
    })
    await provisioning.finishRemoval({ ...instance, ...set })
    return { row, instance, state: 'RECLAIMING' }
  }

  const reclaimed = (by: string) => ({
    ...operation('reclamation', 'delete', 'in progress'),
    state: moves.reclaim.to,
    updated_at: clock.now(),
    updated_by: by,
  })

  /** Those whose time is over; the consumer removes them afterwards like all that are pending removal. */
  async function reclaimDue(): Promise<void> {
    for (const row of await selectDueReclamations(database.reads, clock.now())) {
      const instance = await selectInstance(database.reads, row.account_id, row.instance_guid)
      if (!instance) continue
      await database.transaction(async (tx) => {
        const which = { guid: instance.guid, from: moves.reclaim.from }
        if (!(await finishInstance(tx, which, reclaimed(row.created_by)))) return
        await deleteReclamation(tx, row.id)
        await outbox.append(tx, {
          type: 'resources.instance.removal-requested',
          accountId: row.account_id,
          instanceCrn: instanceCrn(instance),
        })
      })
    }
  }

  return { list, run, reclaimDue }
}

const over = (): Fault => new Fault('conflict', 'reclamation was ended by another request')

const about = (instance: InstanceRow, iamId: string) => ({
  accountId: instance.account_id,
  initiatorId: iamId,
  instanceCrn: instanceCrn(instance),
})
