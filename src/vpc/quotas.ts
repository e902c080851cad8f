// How many of each kind an account may have: one table, whose figures the operator may set (`--quotas volumes=1000`).
// Each is asked in the transaction that adds what is counted, so that requests at the same time do not exceed it. Source:
// VPC, "Quotas and service limits".

import { Fault } from '#base/fault.ts'
import {
  addressPrefixesPerVpcMax,
  dataVolumesPerInstanceMax,
  imagesPerAccountMax,
  instancesPerAccountMax,
  quotaMax,
  rulesPerSecurityGroupMax,
  securityGroupsPerVpcMax,
  snapshotsPerVolumeMax,
  sshKeysPerAccountMax,
  subnetsPerVpcMax,
  volumesPerAccountMax,
  vpcsPerAccountMax,
} from '#base/limits.ts'
import type { VpcParts } from './parts.ts'

interface Quota {
  /** Where the operator sets none. */
  readonly count: number
  /** The most that the operator can set. */
  readonly countMax: number
  /** What has them, and what they are. */
  readonly owner: string
  readonly words: string
  /** The documented code of the refusal. */
  readonly reason: string
}

const ofAccount = (count: number, words: string, reason = 'over_quota'): Quota => ({
  count,
  countMax: quotaMax,
  owner: 'the account',
  words: `${words} in this region`,
  reason,
})
const of = (owner: string, count: number, words: string, reason = 'over_quota', countMax = quotaMax): Quota => ({
  count,
  countMax,
  owner,
  words,
  reason,
})

export const quotas = {
  volumes: ofAccount(volumesPerAccountMax, 'volumes', 'volume_quota_reached'),
  instances: ofAccount(instancesPerAccountMax, 'instances'),
  images: ofAccount(imagesPerAccountMax, 'images'),
  keys: ofAccount(sshKeysPerAccountMax, 'SSH keys'),
  vpcs: ofAccount(vpcsPerAccountMax, 'VPCs'),
  subnets_per_vpc: of('the VPC', subnetsPerVpcMax, 'subnets'),
  security_groups_per_vpc: of('the VPC', securityGroupsPerVpcMax, 'security groups'),
  address_prefixes_per_vpc: of('the VPC', addressPrefixesPerVpcMax, 'address prefixes'),
  rules_per_security_group: of('the security group', rulesPerSecurityGroupMax, 'rules'),
  snapshots_per_volume: of('the volume', snapshotsPerVolumeMax[1], 'snapshots'),
  snapshots_per_sdp_volume: of('the volume', snapshotsPerVolumeMax[2], 'snapshots'),
  data_volumes_per_instance: of(
    'the instance',
    dataVolumesPerInstanceMax,
    'data volumes',
    'volume_attachment_over_quota',
    // What a consistency group can hold, and one machine's controllers.
    dataVolumesPerInstanceMax,
  ),
} as const satisfies Record<string, Quota>

export type QuotaName = keyof typeof quotas
export type Quotas = Readonly<Record<QuotaName, number>>

const isQuota = (name: string): name is QuotaName => Object.hasOwn(quotas, name)

export const defaultQuotas: Quotas = Object.fromEntries(
  Object.entries(quotas).map(([name, { count }]) => [name, count]),
  // Object.fromEntries forgets the names that it was given.
) as Quotas

/** `volumes=1000,images=20`: those that are named, and the others as they are documented. */
export function parseQuotas(text: string): Quotas {
  const wanted: Partial<Record<QuotaName, number>> = {}
  for (const part of text.split(',')) {
    const [name = '', figure = '', ...rest] = part.trim().split('=')
    const isWhole = /^\d{1,9}$/.test(figure) && rest.length === 0
    if (!isQuota(name)) throw wrong(`${JSON.stringify(name)} is none of ${Object.keys(quotas).join(', ')}`)
    if (!isWhole || Number(figure) > quotas[name].countMax) {
      throw wrong(`${name} must be a whole number from 0 to ${quotas[name].countMax}`)
    }
    if (wanted[name] !== undefined) throw wrong(`${name} is set twice`)
    wanted[name] = Number(figure)
  }
  return { ...defaultQuotas, ...wanted }
}

const wrong = (rule: string): Fault => new Fault('invalid', `--quotas (KEYWARD_QUOTAS): ${rule}`)

/** Throws the documented refusal unless there is room for so many more than there are. */
export function checkQuota(
  { quotas: set }: Pick<VpcParts, 'quotas'>,
  name: QuotaName,
  present: number,
  more = 1,
): void {
  if (present + more <= set[name]) return
  const { owner, words, reason } = quotas[name]
  const message = `${owner} has ${present} ${words}, and its quota is ${set[name]} (${name})`
  throw new Fault('invalid', message, { reason })
}
