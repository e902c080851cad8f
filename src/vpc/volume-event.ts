// What a volume's status says now, as an event.

import type { Event } from '#events/event.ts'
import { keyReason, statusOf } from './volume-state.ts'
import type { VolumeTruth } from './volume-state.ts'

/** For a volume that lives on its key: it serves, is being worked on again, or its key says why not. */
export function statusEvent(volume: VolumeTruth & { readonly accountId: string; readonly crn: string }): Event {
  const { accountId, crn: volumeCrn } = volume
  const status = statusOf(volume)
  if (status === 'available') return { type: 'vpc.volume.became-available', accountId, volumeCrn }
  if (status !== 'unusable') return { type: 'vpc.volume.resumed', accountId, volumeCrn }
  const reason = keyReason(volume.keyStanding)?.code ?? 'unknown'
  return { type: 'vpc.volume.became-unusable', accountId, volumeCrn, reason }
}
