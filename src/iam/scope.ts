// What of a collection somebody may see, worked out from policies before any of it has been read, so that a page costs
// its own rows and not the account's. Pure, like decide.ts, and of one opinion with it about every resource.

import { vpcNames } from './attributes.ts'
import { holds } from './conditions.ts'
import type { Condition } from './conditions.ts'
import { isPossible, meetsRule, permitsAction } from './decide.ts'
import type { PolicyFacts, Request, RoleActions } from './decide.ts'
import type { ScopePart } from './port.ts'
import type { Rule } from './rules.ts'

/**
 * Parts that together are all that is permitted. Null where a policy tells resources apart in a way of which only each
 * resource can be asked. `request` is about the collection: it has neither resource nor resource group.
 */
export function scopeOf(
  policies: readonly PolicyFacts[],
  roles: RoleActions,
  request: Request,
): readonly ScopePart[] | null {
  if (!isPossible(request)) return []
  const isResource = resourceNames(request)
  const varies = (name: string): boolean => isResource(name) || name === 'resourceGroupId'
  const parts: ScopePart[] = []
  for (const policy of policies) {
    if (!permitsAction(policy, roles, request)) continue
    const settled = policy.resource.filter(({ name }) => !varies(name))
    if (!settled.every((condition) => holds(condition, request.resource.get(condition.name)))) continue
    if (policy.rule && asks(policy.rule, varies)) return null
    if (policy.rule && !meetsRule(policy.rule, request)) continue
    const resources = valuesOf(policy.resource.filter(({ name }) => isResource(name)))
    const resourceGroupIds = valuesOf(policy.resource.filter(({ name }) => name === 'resourceGroupId'))
    if (resources === null || resourceGroupIds === null) return null
    parts.push({
      policyId: policy.id,
      ...(resources !== 'any' && { resources }),
      ...(resourceGroupIds !== 'any' && { resourceGroupIds }),
    })
  }
  return parts
}

/** VPC resources have a second name, of their kind. */
function resourceNames({ resource }: Request): (name: string) => boolean {
  const kind = resource.get('resourceType')
  const second = typeof kind === 'string' && resource.get('serviceName') === 'is' ? vpcNames.get(kind) : undefined
  return (name) => name === 'resource' || name === second
}

const asks = (rule: Rule, varies: (name: string) => boolean): boolean =>
  'conditions' in rule ? rule.conditions.some((one) => asks(one, varies)) : varies(rule.name)

/** The values that meet all of the conditions, or null where they are not listed. Every resource has a value. */
function valuesOf(conditions: readonly Condition[]): readonly string[] | 'any' | null {
  const asking = conditions.filter(({ operator, value }) => operator !== 'stringExists' || value !== true)
  const lists = asking.map(listOf)
  if (lists.length === 0) return 'any'
  const [first, ...others] = lists.flatMap((list) => (list ? [list] : []))
  if (!first || lists.includes(null)) return null
  return first.filter((value) => others.every((other) => other.includes(value)))
}

function listOf({ operator, value }: Condition): readonly string[] | null {
  if (operator === 'stringEquals' && typeof value === 'string') return [value]
  return operator === 'stringEqualsAnyOf' && Array.isArray(value) ? value : null
}
