// What a custom image's status is and what may be done in it. It follows its key as a volume does, and its owner's calendar.
// Pure. Sources: VPC API, "Image", `status`; VPC docs, "Image lifecycle" and "Managing data encryption".

import { statusOf } from './volume-state.ts'
import type { VolumeStatus, VolumeTruth } from './volume-state.ts'

export type ImageStatus = 'available' | 'deleting' | 'deprecated' | 'failed' | 'obsolete' | 'pending' | 'unusable'

export interface ImageTruth extends VolumeTruth {
  readonly deprecationAt: number | null
  readonly obsolescenceAt: number | null
}

const statusOfVolume = {
  available: 'available',
  failed: 'failed',
  pending: 'pending',
  pending_deletion: 'deleting',
  unusable: 'unusable',
  updating: 'pending',
} as const satisfies Record<VolumeStatus, ImageStatus>

/** Without the calendar: what work and key say. */
export const imageStateOf = (truth: VolumeTruth): ImageStatus => statusOfVolume[statusOf(truth)]

export function imageStatusOf(image: ImageTruth, now: number): ImageStatus {
  const status = imageStateOf(image)
  if (status !== 'available') return status
  if (image.obsolescenceAt !== null && image.obsolescenceAt <= now) return 'obsolete'
  return image.deprecationAt !== null && image.deprecationAt <= now ? 'deprecated' : 'available'
}

/**
 * VPC docs, "Image lifecycle": an obsolete image makes no new machines, a deprecated one still does. "Delete an image":
 * refused while it is being deleted; one that is being imported may go.
 */
const allowedIn = {
  boot: ['available', 'deprecated'],
  // VPC API, "Create an export job", names unusable ones too; see compatibility.md.
  export: ['available', 'deprecated', 'obsolete'],
  delete: ['available', 'deprecated', 'failed', 'obsolete', 'pending', 'unusable'],
  retire: ['available', 'deprecated', 'obsolete', 'unusable'],
  update: ['available', 'deprecated', 'failed', 'obsolete', 'pending', 'unusable'],
} as const satisfies Record<string, readonly ImageStatus[]>

export function mayBeDone(action: keyof typeof allowedIn, status: ImageStatus): boolean {
  const statuses: readonly ImageStatus[] = allowedIn[action]
  return statuses.includes(status)
}
