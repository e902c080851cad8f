// What an image's status says now, as an event.

import type { Event } from '#events/event.ts'
import { keyReason, statusOf } from './volume-state.ts'
import type { VolumeTruth } from './volume-state.ts'

/** For an image that lives on its key: it is there, or is being made again, or its key says why not. */
export function imageEvent(image: VolumeTruth & { readonly accountId: string; readonly crn: string }): Event {
  const { accountId, crn: imageCrn } = image
  const status = statusOf(image)
  if (status === 'available') return { type: 'vpc.image.became-available', accountId, imageCrn }
  if (status !== 'unusable') return { type: 'vpc.image.resumed', accountId, imageCrn }
  const reason = keyReason(image.keyStanding)?.code ?? 'unknown'
  return { type: 'vpc.image.became-unusable', accountId, imageCrn, reason }
}
