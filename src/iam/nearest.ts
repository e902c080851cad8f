// The policy that came nearest to permitting, and what of it did not match: for whoever wrote it and wonders. Pure.

import type { Explanation } from '#base/fault.ts'
import { explainedDifferencesMax } from '#base/limits.ts'
import { holds } from './conditions.ts'
import type { AttributeValue, Condition } from './conditions.ts'
import { holdsTag, meetsRule } from './decide.ts'
import type { PolicyFacts, Request, RoleActions } from './decide.ts'

type Nearest = NonNullable<Explanation['nearestPolicy']>
type Difference = Nearest['differs'][number]

/** Null when there is no policy at all. Of equally near ones the first by id, so that the answer does not change. */
export function nearestPolicy(policies: readonly PolicyFacts[], roles: RoleActions, request: Request): Nearest | null {
  let nearest: { readonly id: string; readonly differs: readonly Difference[] } | null = null
  for (const policy of policies) {
    const differs = differences(policy, roles, request)
    const isNearer =
      !nearest ||
      differs.length < nearest.differs.length ||
      (differs.length === nearest.differs.length && policy.id < nearest.id)
    if (isNearer) nearest = { id: policy.id, differs }
  }
  return nearest && { id: nearest.id, differs: nearest.differs.slice(0, explainedDifferencesMax) }
}

function differences(policy: PolicyFacts, roles: RoleActions, request: Request): readonly Difference[] {
  const { action, subject, resource, tags = [], now } = request
  const hasAction = policy.roles.some((role) => roles.get(role)?.has(action))
  const meets = policy.rule === undefined || meetsRule(policy.rule, request)
  return [
    ...policy.resource.flatMap((one) => differing('resource', one, resource.get(one.name))),
    ...policy.subject.flatMap((one) => differing('subject', one, subject.get(one.name))),
    ...(hasAction ? [] : [{ in: 'roles' as const, policy: policy.roles, request: action }]),
    ...(policy.tags ?? [])
      .filter((tag) => !holdsTag(tag, tags))
      .map((tag) => ({ in: 'tags' as const, attribute: tag.name, policy: tag.value, request: tags })),
    ...(meets ? [] : [{ in: 'rule' as const, policy: policy.rule, request: now ?? null }]),
  ]
}

const differing = (
  side: 'resource' | 'subject',
  condition: Condition,
  value: AttributeValue | undefined,
): readonly Difference[] =>
  holds(condition, value)
    ? []
    : [{ in: side, attribute: condition.name, policy: condition.value, request: value ?? null }]
