// The zones of this installation's one region.

import { useApi } from '../api/use-api.ts'

export function useZones(): readonly string[] {
  const region = useApi('vpc', 'listRegions', {}).data?.regions[0]?.name
  const zones = useApi('vpc', 'listRegionZones', { path: { name: region ?? '' } }, { when: region !== undefined })
  return zones.data?.zones.map((zone) => zone.name) ?? []
}
