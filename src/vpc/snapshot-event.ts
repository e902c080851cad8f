// What a snapshot's state says now, as an event.

import type { Event } from '#events/event.ts'
import { snapshotStateOf } from './snapshot-state.ts'
import { keyReason } from './volume-state.ts'
import type { VolumeTruth } from './volume-state.ts'

/** For a snapshot that lives on its key: its image is there, or is being made again, or its key says why not. */
export function snapshotEvent(snapshot: VolumeTruth & { readonly accountId: string; readonly crn: string }): Event {
  const { accountId, crn: snapshotCrn } = snapshot
  const state = snapshotStateOf(snapshot)
  if (state === 'stable') return { type: 'vpc.snapshot.became-stable', accountId, snapshotCrn }
  if (state !== 'unusable') return { type: 'vpc.snapshot.resumed', accountId, snapshotCrn }
  const reason = keyReason(snapshot.keyStanding)?.code ?? 'unknown'
  return { type: 'vpc.snapshot.became-unusable', accountId, snapshotCrn, reason }
}
