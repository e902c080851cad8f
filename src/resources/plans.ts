// The plans of the catalog, by id, and where their instances can be.

import { catalogServices } from './catalog-data.ts'
import type { CatalogPlan, CatalogService } from './catalog-data.ts'

export interface Plan {
  readonly planId: string
  readonly serviceName: CatalogService['name']
  /** The catalog's id of the service itself: `resource_id` on the wire. */
  readonly serviceId: string
  readonly isReclaimable: boolean
  readonly regions: readonly string[]
}

const plans: ReadonlyMap<string, Plan> = new Map(
  catalogServices.flatMap((service) => service.plans.map((plan) => [plan.id, planOf(service, plan)])),
)

function planOf(service: CatalogService, plan: CatalogPlan): Plan {
  const { isReclaimable, regions } = plan
  return { planId: plan.id, serviceName: service.name, serviceId: service.id, isReclaimable, regions }
}

export const planById = (planId: string): Plan | null => plans.get(planId) ?? null

/** `tiered-pricing`, called Standard: the plan of the instance that an account of the first run begins with. */
export const kmsStandardPlan = { planId: 'eedd3585-90c6-4c8f-be3d-062069e99fc3' } as const

/** The catalog's locations, and the region that this server is, which may be nobody's but the operator's. */
export function locationsOf(plan: Pick<Plan, 'regions'>, ownRegion: string): readonly string[] {
  if (plan.regions.length === 0) return ['global']
  return plan.regions.includes(ownRegion) ? plan.regions : [...plan.regions, ownRegion].sort()
}

export const deploymentCrn = (planId: string, location: string): string =>
  `crn:v1:bluemix:public:globalcatalog::::deployment:${planId}%3A${location}`

/** Where a target lies: it is a location, or the catalog's deployment CRN, whose last segment is `PLAN%3ALOCATION`. */
export function locationOfTarget(target: string, plan: Plan, ownRegion: string): string | null {
  const locations = locationsOf(plan, ownRegion)
  const deployment = target.replace(/%3a/gi, ':')
  return (
    locations.find(
      (location) => target === location || deployment === `${deploymentStart}${plan.planId}:${location}`,
    ) ?? null
  )
}

const deploymentStart = 'crn:v1:bluemix:public:globalcatalog::::deployment:'
