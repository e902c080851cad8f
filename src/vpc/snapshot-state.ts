// What a snapshot's lifecycle state is and what may be done in it. A snapshot follows its key as a volume does, so its truth
// is told by volume-state.ts and only named otherwise. Pure. Source: VPC API, "Snapshot", `lifecycle_state`; VPC docs,
// "Managing snapshots" and "Managing data encryption".

import { statusOf } from './volume-state.ts'
import type { VolumeStatus, VolumeTruth } from './volume-state.ts'

export type SnapshotState = 'deleting' | 'failed' | 'pending' | 'stable' | 'unusable' | 'updating'

const stateOfStatus = {
  available: 'stable',
  failed: 'failed',
  pending: 'pending',
  pending_deletion: 'deleting',
  unusable: 'unusable',
  updating: 'updating',
} as const satisfies Record<VolumeStatus, SnapshotState>

export const snapshotStateOf = (truth: VolumeTruth): SnapshotState => stateOfStatus[statusOf(truth)]

/**
 * VPC docs, "Deleting snapshots": in every state but on the way out, and not while a volume is being restored from it,
 * which is asked of the table. "Restoring": from a stable one only.
 */
export const snapshotAllowedIn = {
  delete: ['stable', 'pending', 'failed', 'unusable'],
  restore: ['stable'],
  update: ['stable', 'pending', 'failed', 'unusable'],
} as const satisfies Record<string, readonly SnapshotState[]>

export function mayBeDone(action: keyof typeof snapshotAllowedIn, state: SnapshotState): boolean {
  const states: readonly SnapshotState[] = snapshotAllowedIn[action]
  return states.includes(state)
}

/** A group has no image and no key: it is what its members have come to. A member whose key is away is whole all the same. */
export function groupStateOf(phase: 'requested' | 'made' | 'deleting', members: readonly VolumeTruth[]): SnapshotState {
  if (phase === 'deleting') return 'deleting'
  const phases = new Set(members.map((member) => member.phase))
  if (phases.has('keyed')) return 'pending'
  return phases.has('failed') ? 'failed' : 'stable'
}
