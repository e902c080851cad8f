// Instance profiles: what the user's machine is like, as far as clients ask. Processors and memory follow from the name,
// as IBM's profiles are named: family and generation, processors, gibibytes (`bx2-2x8`). Source: VPC docs, "x86-64
// instance profiles".

import { Fault } from '#base/fault.ts'
import type { Anyone } from '#iam/port.ts'
import { pageLinks, pageOf } from './page.ts'
import type { PageRequest } from './page.ts'

export interface InstanceProfile {
  readonly name: string
  readonly family: string
  readonly vcpuCount: number
  readonly memoryGib: number
}

const families = { b: 'balanced', c: 'compute', m: 'memory' } as const
const gibPerVcpu = { b: 4, c: 2, m: 8 } as const
const generations = ['x2', 'xf', 'x3d'] as const
const vcpuCounts = [2, 4, 8, 16, 32, 48] as const

export const instanceProfiles: readonly InstanceProfile[] = (['b', 'c', 'm'] as const).flatMap((kind) =>
  generations.flatMap((generation) =>
    vcpuCounts.map((vcpuCount) => ({
      name: `${kind}${generation}-${vcpuCount}x${vcpuCount * gibPerVcpu[kind]}`,
      family: families[kind],
      vcpuCount,
      memoryGib: vcpuCount * gibPerVcpu[kind],
    })),
  ),
)

export const findInstanceProfile = (name: string): InstanceProfile | null =>
  instanceProfiles.find((profile) => profile.name === name) ?? null

/** VPC docs, "Bandwidth allocation": 2000 Mbps for each processor up to 80 Gbps, a quarter of it for volumes. */
const mbpsPerVcpu = 2000
const mbpsMax = 80_000
export const bandwidthOf = ({ vcpuCount }: InstanceProfile): number => Math.min(vcpuCount * mbpsPerVcpu, mbpsMax)
export const defaultVolumeShare = 4
/** VPC API, `total_volume_bandwidth`: each side has at least this. */
export const bandwidthSideMbpsMin = 500

const hrefOf = (base: string, name: string): string => `${base}/v1/instance/profiles/${name}`

export const instanceProfileReference = (base: string, name: string) => ({
  href: hrefOf(base, name),
  name,
  resource_type: 'instance_profile' as const,
})

const fixed = (value: number) => ({ type: 'fixed' as const, value })
const fixedText = (value: string) => ({ type: 'fixed' as const, value })
const among = (values: readonly string[], standard: string) => ({
  type: 'enum' as const,
  values: [...values],
  default: standard,
})

function profileView(base: string, profile: InstanceProfile) {
  const bandwidth = bandwidthOf(profile)
  const volumes = { min: bandwidthSideMbpsMin, max: bandwidth - bandwidthSideMbpsMin, step: 1 }
  return {
    ...instanceProfileReference(base, profile.name),
    availability_class: among(['standard'], 'standard'),
    bandwidth: fixed(bandwidth),
    cluster_network_attachment_count: fixed(0),
    confidential_compute_modes: among(['disabled'], 'disabled'),
    disks: [],
    family: profile.family,
    memory: fixed(profile.memoryGib),
    network_attachment_count: { type: 'range' as const, min: 1, max: 15 },
    network_interface_count: { type: 'range' as const, min: 1, max: 15 },
    os_architecture: among(['amd64'], 'amd64'),
    port_speed: fixed(16_000),
    reservation_terms: { type: 'enum' as const, values: [] },
    secure_boot_modes: { type: 'enum' as const, values: [false], default: false },
    status: 'current' as const,
    supported_cluster_network_profiles: [],
    total_volume_bandwidth: { type: 'range' as const, ...volumes, default: bandwidth / defaultVolumeShare },
    vcpu_architecture: fixedText('amd64'),
    vcpu_burst_limit: fixed(100),
    vcpu_count: fixed(profile.vcpuCount),
    vcpu_manufacturer: fixedText('intel'),
    vcpu_percentage: fixed(100),
    volume_bandwidth_qos_modes: among(['pooled', 'weighted'], 'weighted'),
  }
}

/** VPC API, change log: from this version of the API on the list has pages. */
const pagedSince = '2026-04-07'

export function listInstanceProfiles(context: Anyone, query: PageRequest & { readonly version?: string | undefined }) {
  const { baseUrl } = context
  if ((query.version ?? '') < pagedSince && query.start === undefined && query.limit === undefined) {
    return { profiles: instanceProfiles.map((profile) => profileView(baseUrl, profile)) }
  }
  return pagedProfiles(baseUrl, `${baseUrl}/v1/instance/profiles`, query)
}

/** Every profile goes with every volume: the machines are the users'. */
export function pagedProfiles(base: string, href: string, query: PageRequest) {
  const page = pageOf(
    instanceProfiles.map(({ name }) => ({ id: name, createdAt: 0 })),
    query,
  )
  return {
    ...pageLinks(page, href, {}),
    profiles: page.items.flatMap(({ id }) => {
      const profile = findInstanceProfile(id)
      return profile ? [profileView(base, profile)] : []
    }),
  }
}

export function getInstanceProfile(context: Anyone, name: string) {
  const profile = findInstanceProfile(name)
  if (profile) return profileView(context.baseUrl, profile)
  throw new Fault('not_found', `instance profile ${JSON.stringify(name.slice(0, 64))} is not found`)
}

/** Of a profile that is not listed, what its name says of it; a machine of two processors where it says nothing. */
export function profileOf(name: string): InstanceProfile {
  const found = findInstanceProfile(name)
  if (found) return found
  const [, vcpus, memory] = /-(\d{1,3})x(\d{1,5})\b/.exec(name) ?? []
  return { name, family: 'other', vcpuCount: Number(vcpus ?? 2) || 2, memoryGib: Number(memory ?? 8) || 8 }
}
