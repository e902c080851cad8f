// A service instance as a row: its name among resources, what IAM decides about, and what its last operation was.

import { formatCrn, parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import type { Event } from '#events/event.ts'
import type { Caller, Target } from '#iam/port.ts'
import type { Plan } from './plans.ts'
import type { InstanceRow } from './tables.ts'

export const instanceCrn = (row: InstanceRow): string =>
  formatCrn({
    serviceName: row.service_name,
    location: row.region,
    accountId: row.account_id,
    serviceInstance: row.guid,
  })

export const instanceTarget = (row: InstanceRow): Target => ({
  accountId: row.account_id,
  serviceName: row.service_name,
  serviceInstance: row.guid,
  region: row.region,
  resourceGroupId: row.resource_group_id,
})

/** The GUID in an id as clients send it: a GUID or a CRN. Null for what can be neither. */
export const guidOf = (id: string): string | null => (isUuid(id) ? id : (parseCrn(id)?.serviceInstance ?? null))

/** One sentence for what is not there and for what is another account's. */
export const noInstance = (): Fault => new Fault('not_found', 'service instance does not exist in this account')

export interface PlanChange {
  readonly planId: string
  readonly at: number
  readonly by: string
}

export const printPlanHistory = (history: readonly PlanChange[]): string => JSON.stringify(history)

/** Our own text, written by `printPlanHistory`. */
export const parsePlanHistory = (text: string): readonly PlanChange[] => JSON.parse(text)

type OperationColumns = Pick<
  InstanceRow,
  'operation_type' | 'operation_sub_type' | 'operation_state' | 'operation_description'
>

/** Resource Controller API, "last_operation". `type` and `subType` are the documented words. */
export function operation(
  type: string,
  subType: '' | 'config' | 'plan' | 'pending' | 'restore' | 'delete' = '',
  state: 'succeeded' | 'in progress' | 'failed' = 'succeeded',
): OperationColumns {
  const said = { succeeded: 'Completed', 'in progress': 'Started', failed: 'Could not complete' }[state]
  return {
    operation_type: type,
    operation_sub_type: subType,
    operation_state: state,
    operation_description: `${said} ${type} instance operation`,
  }
}

type InstanceEvent = Extract<Event, { instanceCrn: string; type: `resources.${string}` }>
type About<E> = E extends Event ? Omit<E, 'accountId' | 'initiatorId' | 'instanceCrn'> : never
/** Those that say no more than what happened to which instance. */
export type PlainInstanceEvent = Extract<
  InstanceEvent['type'],
  `resources.instance.${'created' | 'updated' | 'locked' | 'unlocked' | 'removal-requested'}`
>

export const instanceEvent = (row: InstanceRow, { iamId }: Caller, about: About<InstanceEvent>): Event => ({
  ...about,
  accountId: row.account_id,
  initiatorId: iamId,
  instanceCrn: instanceCrn(row),
})

export const refusal = (name: string, message: string): Fault =>
  new Fault('invalid', message, { target: { type: 'field', name } })

export const noLocation = (name: string, plan: Plan): Fault =>
  refusal(name, `${name} is neither a location nor a deployment of plan ${plan.planId}`)
