// The one region that this installation is, and its three zones. Source: VPC API, "Regions" and "Zones".

import { Fault } from '#base/fault.ts'
import type { Anyone } from '#iam/port.ts'

export const zonesOf = (region: string): readonly string[] => [1, 2, 3].map((n) => `${region}-${n}`)

export const regionHref = (base: string, region: string): string => `${base}/v1/regions/${region}`

/** A zone as other resources refer to it; its region is its name without the number. */
export const zoneReference = (base: string, zone: string) => ({
  href: `${regionHref(base, zone.replace(/-\d+$/, ''))}/zones/${zone}`,
  name: zone,
})

/** The zone's name, or a Fault that names the field: a body points at a zone that is not here. */
export function checkZone(region: string, zone: string, field = 'zone'): string {
  if (zonesOf(region).includes(zone)) return zone
  const message = `zone ${JSON.stringify(zone.slice(0, 64))} is not of region ${region}: use ${zonesOf(region).join(', ')}`
  throw new Fault('invalid', message, { reason: 'invalid_zone', target: { type: 'field', name: `${field}.name` } })
}

export type Regions = ReturnType<typeof makeRegions>

export function makeRegions(region: string) {
  const regionView = (base: string) => ({
    endpoint: base,
    href: regionHref(base, region),
    name: region,
    status: 'available' as const,
  })

  const zoneView = (base: string, zone: string) => ({
    ...zoneReference(base, zone),
    region: { href: regionHref(base, region), name: region },
    status: 'available' as const,
    universal_name: zone,
    data_center: zone,
  })

  const known = (name: string): void => {
    if (name !== region) throw notFound('region', name)
  }

  return {
    async list(context: Anyone) {
      return { regions: [regionView(context.baseUrl)] }
    },
    async get(context: Anyone, name: string) {
      known(name)
      return regionView(context.baseUrl)
    },
    async listZones(context: Anyone, name: string) {
      known(name)
      return { zones: zonesOf(region).map((zone) => zoneView(context.baseUrl, zone)) }
    },
    async getZone(context: Anyone, name: string, zone: string) {
      known(name)
      if (!zonesOf(region).includes(zone)) throw notFound('zone', zone)
      return zoneView(context.baseUrl, zone)
    },
  }
}

const notFound = (what: string, name: string): Fault =>
  new Fault('not_found', `${what} ${JSON.stringify(name.slice(0, 64))} is not found`)
