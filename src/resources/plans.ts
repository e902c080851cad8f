// The services that can be provisioned, and their plans. Ids as the public catalog gives them (Global Catalog, "kms").

export interface Plan {
  readonly planId: string
  readonly serviceName: 'kms'
  /** The catalog's id of the service itself: `resource_id` on the wire. */
  readonly serviceId: string
}

const kmsServiceId = 'ee41347f-b18e-4ca6-bf80-b5467c63f9a6'

/** `tiered-pricing`, called Standard: the plan of every multi-tenant key manager. */
export const kmsStandardPlan: Plan = {
  planId: 'eedd3585-90c6-4c8f-be3d-062069e99fc3',
  serviceName: 'kms',
  serviceId: kmsServiceId,
}

const plans: readonly Plan[] = [kmsStandardPlan]

export const planById = (planId: string): Plan | null => plans.find((plan) => plan.planId === planId) ?? null

/** A target is a region, or the catalog's deployment CRN whose last segment is `PLAN%3AREGION`. */
export function regionOfTarget(target: string, plan: Plan): string | null {
  if (/^[a-z]{2}-[a-z]{2,6}$/.test(target)) return target
  const deployment =
    /^crn:v1:bluemix:public:globalcatalog::::deployment:([0-9a-f-]+)(?:%3A|:)([a-z]{2}-[a-z]{2,6})$/i.exec(target)
  if (!deployment || deployment[1] !== plan.planId) return null
  return deployment[2] ?? null
}
