// From the body of POST /instances to what shall be made, with leave on everything it points at. Source: VPC API,
// "InstancePrototype"; VPC docs, "Required permissions for VPC resources".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import type { Context } from '#iam/port.ts'
import { planVolumeAttachment, within } from './attached-volume.ts'
import type { PlannedAttachment } from './attached-volume.ts'
import { planBootImage } from './boot-image.ts'
import type { BootImage } from './boot-image.ts'
import { collections, referred } from './collections.ts'
import { groupForNew } from './groups.ts'
import { idOf, nameOf } from './identity.ts'
import { defaultSettings } from './instance.ts'
import type { InstanceSettings } from './instance.ts'
import { planAttachment, planInterface } from './instance-interfaces.ts'
import type { PlannedInterface } from './instance-interfaces.ts'
import { bandwidthOf, bandwidthSideMbpsMin, profileOf } from './instance-profiles.ts'
import { instancePrototypeNotYet } from './instance-schemas.ts'
import type { instancePatch, instancePrototype } from './instance-schemas.ts'
import { checkName } from './names.ts'
import { refuseNotYet } from './not-yet.ts'
import type { VpcParts } from './parts.ts'
import { checkZone } from './regions.ts'
import type { CreateInstance } from './tables-instances.ts'
import { recordsOfAccount } from './tables-records.ts'
import { newTarget } from './targets.ts'

/** VPC API, "InstancePrototype": the default profile, which here only names what the user's machine is like. */
const defaultProfile = 'bxf-2x8'
const defaultVolumeProfile = 'general-purpose'

export interface NewInstance {
  readonly grant: CreateInstance
  readonly resourceGroupId: string
  readonly name: string | null
  readonly zone: string
  readonly profile: string
  readonly vpcId: string | null
  readonly imageId: string | null
  readonly settings: InstanceSettings
  readonly interfaces: readonly PlannedInterface[]
  readonly attachments: readonly PlannedAttachment[]
}

type Body = Static<typeof instancePrototype>

export async function planInstance(parts: VpcParts, context: Context, body: Body): Promise<NewInstance> {
  refuseNotYet(body, instancePrototypeNotYet)
  const { accountId } = context.caller
  const name = body.name === undefined ? null : checkName(body.name)
  const zone = checkZone(parts.region, nameOf(body.zone, 'zone'))
  const profile = body.profile === undefined ? defaultProfile : checkProfile(nameOf(body.profile, 'profile'))
  const named = body.image === undefined ? null : await planBootImage(parts, context, body.image)
  const group = await groupForNew(parts.resources, 'instance', accountId, body.resource_group?.id ?? null)
  const place = newTarget('instance', { accountId, region: parts.region, resourceGroupId: group.id })
  const grant = await parts.iam.authorize(context.caller, 'is.instance.instance.create', place)
  const keyIds = await planKeys(parts, context, body.keys)
  const interfaces = await planInterfaces(parts, context, body, zone)
  return {
    grant,
    resourceGroupId: group.id,
    name,
    zone,
    profile,
    vpcId: await planVpc(parts, context, body, interfaces),
    imageId: named?.imageId ?? null,
    settings: { ...settingsFrom(body, defaultSettings, profile), keyIds },
    interfaces,
    attachments: await planVolumes(parts, context, body, {
      zone,
      resourceGroupId: group.id,
      image: named?.boot ?? null,
    }),
  }
}

/** What the body sets anew; the rest stays. */
export function settingsFrom(
  body: Static<typeof instancePatch> | Body,
  before: InstanceSettings,
  profile: string,
): InstanceSettings {
  const bandwidthMbps = body.total_volume_bandwidth
  const max = bandwidthOf(profileOf(profile)) - bandwidthSideMbpsMin
  if (bandwidthMbps !== undefined && (bandwidthMbps < bandwidthSideMbpsMin || bandwidthMbps > max)) {
    throw wrong('total_volume_bandwidth', `of profile ${profile} must be ${bandwidthSideMbpsMin} to ${max}`)
  }
  return {
    keyIds: before.keyIds,
    metadataService: { ...before.metadataService, ...defined(body.metadata_service) },
    availabilityPolicy: { ...before.availabilityPolicy, ...defined(body.availability_policy) },
    totalVolumeBandwidthMbps: bandwidthMbps ?? before.totalVolumeBandwidthMbps,
    volumeBandwidthQosMode: body.volume_bandwidth_qos_mode ?? before.volumeBandwidthQosMode,
    enableSecureBoot: false,
  }
}

type Defined<T> = { [Name in keyof T]: Exclude<T[Name], undefined> }

/** A body that was read from JSON has no member that is undefined; the type says so here. */
const defined = <T extends object>(value: T | undefined): Partial<Defined<T>> => (value ?? {}) as Partial<Defined<T>>

/** Any profile may be named; what it is like is between the user and his machine. */
export function checkProfile(name: string): string {
  if (/^[a-z0-9]([a-z0-9.-]{0,62}[a-z0-9])?$/.test(name)) return name
  throw wrong('profile.name', 'is not the name of an instance profile')
}

async function planKeys(parts: VpcParts, context: Context, keys: Body['keys']): Promise<readonly string[]> {
  const ids: string[] = []
  for (const [i, { fingerprint, ...identity }] of (keys ?? []).entries()) {
    const field = `keys.${i}`
    const id = fingerprint === undefined ? idOf(identity, field) : await idByFingerprint(parts, context, fingerprint)
    ids.push((await referred(parts, context, collections.key, id, field)).id)
  }
  return [...new Set(ids)]
}

async function idByFingerprint(parts: VpcParts, context: Context, fingerprint: string): Promise<string> {
  const at = { accountId: context.caller.accountId, region: parts.region }
  const keys = await recordsOfAccount(parts.database.reads, 'key', at)
  return keys.find(({ facts }) => facts.fingerprint === fingerprint)?.id ?? fingerprint
}

async function planInterfaces(
  parts: VpcParts,
  context: Context,
  body: Body,
  zone: string,
): Promise<readonly PlannedInterface[]> {
  const { primary_network_interface, primary_network_attachment } = body
  const isOld = primary_network_interface !== undefined || body.network_interfaces !== undefined
  const isNew = primary_network_attachment !== undefined || body.network_attachments !== undefined
  if (isOld && isNew)
    throw wrong('primary_network_attachment', 'and network interfaces exclude each other', 'validation_only_one')
  if (!isOld && !isNew) return []
  if (!primary_network_interface && !primary_network_attachment) {
    throw wrong(
      isOld ? 'primary_network_interface' : 'primary_network_attachment',
      'is required',
      'validation_required_field',
    )
  }
  const planned: PlannedInterface[] = []
  for (const { field, isPrimary, value } of listed(
    primary_network_interface,
    body.network_interfaces,
    'network_interface',
  )) {
    planned.push(await planInterface(parts, context, value, { field, isPrimary }))
  }
  for (const { field, isPrimary, value } of listed(
    primary_network_attachment,
    body.network_attachments,
    'network_attachment',
  )) {
    planned.push(await planAttachment(parts, context, value, { field, isPrimary }))
  }
  const [first] = planned
  for (const { subnet, field } of planned) {
    if (subnet.facts.zone !== zone)
      throw wrong(`${field}.subnet`, `is in ${subnet.facts.zone}, not in ${zone}`, 'zone_inconsistency')
    if (subnet.parentId !== first?.subnet.parentId)
      throw wrong(`${field}.subnet`, 'is of another VPC', 'vpc_resource_separation')
  }
  return planned
}

const listed = <T>(primary: T | undefined, others: readonly T[] | undefined, name: string) => [
  ...(primary === undefined ? [] : [{ field: `primary_${name}`, isPrimary: true, value: primary }]),
  ...(others ?? []).map((value, i) => ({ field: `${name}s.${i}`, isPrimary: false, value })),
]

/** The VPC named, or the one that the interfaces lie in; where both are said they agree. */
async function planVpc(
  parts: VpcParts,
  context: Context,
  body: Body,
  interfaces: readonly PlannedInterface[],
): Promise<string | null> {
  const ofSubnet = interfaces[0]?.subnet.parentId ?? null
  const id = body.vpc === undefined ? ofSubnet : idOf(body.vpc, 'vpc')
  if (id === null) return null
  const network = await referred(parts, context, collections.vpc, id, 'vpc')
  if (ofSubnet !== null && network.id !== ofSubnet)
    throw wrong('vpc', 'is not the one of the subnet', 'vpc_resource_separation')
  return network.id
}

async function planVolumes(
  parts: VpcParts,
  context: Context,
  body: Body,
  { image, ...at }: { readonly zone: string; readonly resourceGroupId: string; readonly image: BootImage | null },
): Promise<readonly PlannedAttachment[]> {
  const boot = bootBody(body)
  const data = body.volume_attachments ?? []
  const max = parts.quotas.data_volumes_per_instance
  if (data.length > max) throw wrong('volume_attachments', `can be at most ${max}`, 'instance_sec_volume_over_quota')
  const planned: PlannedAttachment[] = []
  if (boot) {
    const field = 'boot_volume_attachment'
    planned.push(await planVolumeAttachment(parts, context, boot, { ...at, image, field, type: 'boot' }))
  }
  for (const [i, one] of data.entries()) {
    const field = `volume_attachments.${i}`
    planned.push(await planVolumeAttachment(parts, context, one, { ...at, field, type: 'data' }))
  }
  await within('volume_attachments', () => refuseRepeated(planned))
  return planned
}

/** VPC API: an instance that is made from an image has a boot volume, described or not; without one it has none to make. */
function bootBody(body: Body): Body['boot_volume_attachment'] {
  const { boot_volume_attachment: boot, image } = body
  const isToBeMade = boot !== undefined && (boot.volume.id ?? boot.volume.crn ?? boot.volume.href) === undefined
  const hasSource = boot?.volume.source_snapshot !== undefined
  if (!image && isToBeMade && !hasSource)
    throw wrong('image', 'is required for a boot volume that is to be made', 'validation_required_field')
  if (image && hasSource)
    throw wrong('image', 'and a source_snapshot of the boot volume exclude each other', 'validation_only_one')
  return boot ?? (image && { volume: { profile: { name: defaultVolumeProfile } } })
}

function refuseRepeated(planned: readonly PlannedAttachment[]): void {
  const volumes = planned.flatMap(({ volume }) => (volume.by === 'id' ? (volume.grant.target.resource ?? []) : []))
  const names = planned.flatMap(({ name }) => name ?? [])
  if (new Set(volumes).size < volumes.length) throw wrong('volume', 'is named twice', 'duplicate_error')
  if (new Set(names).size < names.length) throw wrong('name', 'is given twice', 'validation_unique_failed')
}

const wrong = (name: string, rule: string, reason = 'bad_field'): Fault =>
  new Fault('invalid', `${name} ${rule}`, { reason, target: { type: 'field', name } })
