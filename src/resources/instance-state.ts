// The states of a service instance, as a table. Source: Resource Controller API v2, "state" of an instance and
// "Reclamations". What is not in the table is refused.

export type InstanceState = 'provisioning' | 'active' | 'pending_reclamation' | 'pending_removal' | 'removed'

/**
 * Every change of state. Those that begin with `finish` or `undo` are the second half of another: a crash in between
 * leaves the state they start from, and the consumer takes it from there.
 */
export const moves = {
  finishProvisioning: { from: 'provisioning', to: 'active' },
  cancelProvisioning: { from: 'provisioning', to: 'pending_removal' },
  remove: { from: 'active', to: 'pending_removal' },
  scheduleReclamation: { from: 'active', to: 'pending_reclamation' },
  restore: { from: 'pending_reclamation', to: 'active' },
  reclaim: { from: 'pending_reclamation', to: 'pending_removal' },
  finishRemoval: { from: 'pending_removal', to: 'removed' },
  undoRemoval: { from: 'pending_removal', to: 'active' },
} as const satisfies Record<string, { from: InstanceState; to: InstanceState }>

export type Move = keyof typeof moves

/** "A locked instance can not be updated or deleted"; only an active one is changed at all. */
export const changeable: InstanceState = 'active'

/** Resource Controller API, "List instances": what is shown where no state is asked for. */
export const listedByDefault: readonly InstanceState[] = ['active', 'provisioning']
