// What may be done with an instance in each of its statuses, as data. Pure: the console reads the same tables. Sources:
// VPC API, "Instances" (status, lifecycle_state) and "Create an instance action"; VPC docs, "Instance statuses".

import type { InstanceStatus } from '#store/schema/vpc.ts'
import type { StatusReason } from './volume-state.ts'

export type ShownStatus = Exclude<InstanceStatus, 'assembling'>

/** An instance of which readers know nothing: whether its volumes get their keys is not known. */
export const isHidden = (status: InstanceStatus): boolean => status === 'assembling'

/** While the machine is on, or about to be, its volumes can be reached; a stopped one has let go of their keys. */
export const servedStatuses = ['starting', 'running', 'restarting'] as const satisfies readonly InstanceStatus[]

export const isServed = (status: InstanceStatus): boolean => servedStatuses.some((one) => one === status)

/** Between two statuses: something of it is still being done. */
export const transitionStatuses = ['starting', 'stopping', 'restarting'] as const satisfies readonly InstanceStatus[]

export const isInTransition = (status: InstanceStatus): boolean => transitionStatuses.some((one) => one === status)

export type InstanceAction = 'attach' | 'delete' | 'reboot' | 'start' | 'stop'

/**
 * "Create an instance action": starting what runs, and anything but starting what is stopped, is a conflict; stopping
 * what is stopped is not, since Terraform stops every instance before it deletes it and cannot know. "Create a volume
 * attachment": not while the instance is in transition. "Delete an instance": at rest, or failed.
 */
export const instanceAllowedIn = {
  attach: ['running', 'stopped'],
  delete: ['running', 'stopped', 'failed', 'starting', 'stopping', 'restarting'],
  reboot: ['running'],
  start: ['stopped'],
  stop: ['running', 'starting', 'restarting', 'failed'],
} as const satisfies Record<InstanceAction, readonly ShownStatus[]>

export const instanceMay = (action: InstanceAction, status: InstanceStatus): boolean => {
  const statuses: readonly InstanceStatus[] = instanceAllowedIn[action]
  return statuses.includes(status)
}

export const lifecycleOf = (status: ShownStatus): 'pending' | 'stable' | 'deleting' | 'failed' => {
  if (status === 'deleting' || status === 'failed') return status
  return status === 'starting' ? 'pending' : 'stable'
}

/** VPC docs, "Instance status messages": what an attached volume's key or making says about starting the machine. */
export const startReasons = {
  deleted: {
    code: 'encryption_key_deleted',
    message: 'the instance cannot start because the root key of an attached volume was deleted',
  },
  unusable: {
    code: 'cannot_start_storage',
    message: 'the instance cannot start because the root key of an attached volume cannot be used',
  },
  failed: {
    code: 'cannot_start_storage',
    message: 'the instance cannot start because an attached volume could not be made',
  },
} as const satisfies Record<string, StatusReason>

/** What a machine that is run here says for itself; the codes are the documented ones. */
export const endReasons = {
  notStarted: {
    code: 'cannot_start_compute',
    message: 'the machine could not be started; stop the instance to try again',
  },
  noRoom: {
    code: 'cannot_start_capacity',
    message: 'the host has no memory left for the machine; stop the instance to try again later',
  },
  died: { code: 'stopped_by_host_failure', message: 'the machine ended unexpectedly' },
  hostFailed: {
    code: 'stopped_by_host_failure',
    message: 'the host of the machine failed, and its availability policy is to stop then',
  },
} as const satisfies Record<string, StatusReason>
