// Instances and attachments as the rest of this folder sees them. An instance is a machine that its user runs himself, or that
// is run here (machines.ts): where it is and what it is called, so that volumes can be attached to it and their exports
// named after it.

import type { AttachmentId, InstanceId, VolumeId } from '#base/id.ts'
import type { AttachmentStatus, InstanceStatus } from '#store/schema/vpc.ts'
import type { StatusReason, VolumeTruth } from './volume-state.ts'

export interface Instance {
  readonly id: InstanceId
  readonly accountId: string
  readonly region: string
  readonly zone: string
  readonly name: string
  readonly crn: string
  readonly resourceGroupId: string
  readonly profile: string
  readonly status: InstanceStatus
  readonly vpcId: string | null
  readonly imageId: string | null
  readonly settings: InstanceSettings
  /** Why it is stopped or failed, where its volumes do not say it. */
  readonly statusReason: StatusReason | null
  readonly revision: number
  readonly createdAt: number
}

/** What a client sets of the machine and reads again; whoever runs the machine heeds it. */
export interface InstanceSettings {
  readonly keyIds: readonly string[]
  readonly metadataService: {
    readonly enabled: boolean
    readonly protocol: 'http' | 'https'
    readonly response_hop_limit: number
  }
  readonly availabilityPolicy: { readonly host_failure: 'restart' | 'stop'; readonly preemption: 'stop' | 'delete' }
  /** Null where the client leaves it to the profile. */
  readonly totalVolumeBandwidthMbps: number | null
  readonly volumeBandwidthQosMode: 'pooled' | 'weighted'
  readonly enableSecureBoot: boolean
}

export const defaultSettings: InstanceSettings = {
  keyIds: [],
  metadataService: { enabled: false, protocol: 'http', response_hop_limit: 1 },
  availabilityPolicy: { host_failure: 'restart', preemption: 'stop' },
  totalVolumeBandwidthMbps: null,
  volumeBandwidthQosMode: 'weighted',
  enableSecureBoot: false,
}

export interface Attachment {
  readonly id: AttachmentId
  readonly accountId: string
  readonly instanceId: InstanceId
  readonly volumeId: VolumeId
  readonly name: string
  readonly type: 'boot' | 'data'
  /** Whether the volume is deleted with the instance. */
  readonly deleteVolume: boolean
  readonly status: AttachmentStatus
  readonly createdAt: number
}

/** The two ends of an attachment as the other end refers to them. */
export interface AttachmentEnds {
  readonly instance: {
    readonly crn: string
    readonly id: InstanceId
    readonly name: string
    readonly status: InstanceStatus
  }
  readonly volume: VolumeTruth & {
    readonly crn: string
    readonly id: VolumeId
    readonly name: string
    readonly bandwidthMbps: number
  }
}

export type AttachmentView = Attachment & AttachmentEnds
