// Whether a policy covers all of what another would: for whoever gives access away, which nobody may do beyond their own.
// Pure. It says no where it cannot tell, so it may refuse what would be harmless and never lets through what would not.

import { isIamService, serviceTypeOf } from './actions.ts'
import type { ServiceType } from './actions.ts'
import { vpcNames } from './attributes.ts'
import { equals, implies } from './conditions.ts'
import type { Condition } from './conditions.ts'
import { meetsRule } from './decide.ts'
import type { Expression } from './decide.ts'
import { canonicalRule, valueOf } from './policy.ts'

/** Whether everything in `part`, at every time, is in `whole` too. `whole` counts by what it permits at this time. */
export function covers(whole: Expression, part: Expression, now: number): boolean {
  if (!whole.resource.every((wide) => part.resource.some((narrow) => implies(narrow, wide)))) return false
  if (!(whole.tags ?? []).every((wide) => (part.tags ?? []).some((narrow) => implies(narrow, wide)))) return false
  if (!whole.rule) return true
  // Whoever may only at some times gives to others only for the same times, and only then.
  if (!part.rule || canonicalRule(part.rule) !== canonicalRule(whole.rule)) return false
  return isOfResource(whole.rule) || meetsRule(whole.rule, { resource: new Map(), now })
}

const isOfResource = (rule: NonNullable<Expression['rule']>): boolean =>
  'conditions' in rule ? rule.conditions.every(isOfResource) : !rule.name.startsWith('environment.')

/**
 * The expression with all that follows from it, in parts of one service type each: an account's things are those of
 * services and those of account management, and hardly any policy is for both.
 */
export function partsOf(expression: Expression): readonly Expression[] {
  const resource = [...expression.resource, ...implied(expression.resource)]
  if (resource.some(({ name }) => name === 'serviceType')) return [{ ...expression, resource }]
  const types: readonly ServiceType[] = ['service', 'platform_service']
  return types.map((type) => ({ ...expression, resource: [...resource, equals('serviceType', type)] }))
}

function implied(resource: readonly Condition[]): readonly Condition[] {
  const serviceName = valueOf(resource, 'serviceName')
  if (serviceName !== undefined) return [...ofService(resource, serviceName), ...ofVpc(resource, serviceName)]
  if (valueOf(resource, 'service_group_id') === 'IAM') return ofType(resource, 'platform_service')
  return valueOf(resource, 'resourceType') === 'resource-group' ? ofResourceGroup(resource) : []
}

const ofType = (resource: readonly Condition[], type: ServiceType): readonly Condition[] =>
  resource.some(({ name }) => name === 'serviceType') ? [] : [equals('serviceType', type)]

const ofService = (resource: readonly Condition[], serviceName: string): readonly Condition[] => [
  ...ofType(resource, serviceTypeOf(serviceName)),
  ...(isIamService(serviceName) ? [equals('service_group_id', 'IAM')] : []),
]

/** `volumeId` is another name for the resource of type volume, and so on for the other kinds. */
function ofVpc(resource: readonly Condition[], serviceName: string): readonly Condition[] {
  if (serviceName !== 'is') return []
  return [...vpcNames].flatMap(([kind, name]) => {
    const named = resource.filter((condition) => condition.name === name)
    const typed = valueOf(resource, 'resourceType') === kind
    const resources = typed ? resource.filter((condition) => condition.name === 'resource') : []
    return [
      ...named.flatMap((condition) => [equals('resourceType', kind), { ...condition, name: 'resource' }]),
      ...resources.map((condition) => ({ ...condition, name })),
    ]
  })
}

/** A resource group lies in itself, and is a thing of the resource controller. */
const ofResourceGroup = (resource: readonly Condition[]): readonly Condition[] => [
  equals('serviceName', 'resource-controller'),
  ...ofType(resource, 'platform_service'),
  ...resource.filter(({ name }) => name === 'resource').map((one) => ({ ...one, name: 'resourceGroupId' })),
]
