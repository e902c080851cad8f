// Instances and attachments as the rest of this folder sees them. An instance is a record of a machine that its user
// runs himself: where it is and what it is called, so that volumes can be attached to it and their exports named after
// it.

import type { AttachmentId, InstanceId, VolumeId } from '#base/id.ts'
import type { AttachmentStatus } from '#store/schema/vpc.ts'

export interface Instance {
  readonly id: InstanceId
  readonly accountId: string
  readonly region: string
  readonly zone: string
  readonly name: string
  readonly crn: string
  readonly resourceGroupId: string
  readonly profile: string
  readonly status: 'running' | 'deleting'
  readonly createdAt: number
}

export interface Attachment {
  readonly id: AttachmentId
  readonly accountId: string
  readonly instanceId: InstanceId
  readonly volumeId: VolumeId
  readonly name: string
  /** Whether the volume is deleted with the instance. */
  readonly deleteVolume: boolean
  readonly status: AttachmentStatus
  readonly createdAt: number
}

/** The two ends of an attachment as the other end refers to them. */
export interface AttachmentEnds {
  readonly instance: { readonly crn: string; readonly id: InstanceId; readonly name: string }
  readonly volume: {
    readonly crn: string
    readonly id: VolumeId
    readonly name: string
    readonly bandwidthMbps: number
  }
}

export type AttachmentView = Attachment & AttachmentEnds
