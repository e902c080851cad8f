// What somebody may give to others: no more than they hold themselves, over the whole of what is given. Pure. Source: IBM
// Cloud IAM, "Assigning access" and "Using authorizations": whoever gives access is Administrator of all of the target and
// gives at most their own level there.

import { actionConcerns, actionConcernsType } from './actions.ts'
import { covers, partsOf } from './covers.ts'
import type { Expression, PolicyFacts, RoleActions } from './decide.ts'
import { valueOf } from './policy.ts'
import type { Facts } from './policy.ts'
import { delegatorRole, levelActions, managerActionsOf } from './roles.ts'

/** The policies of one account that are for one subject, and what their roles contain. */
export interface Holdings {
  readonly policies: readonly PolicyFacts[]
  readonly roles: RoleActions
  readonly now: number
}

/** The policy by which the action is permitted on all of the expression, or null when part of it is not. */
export function heldBy(holdings: Holdings, action: string, expression: Expression): string | null {
  const having = holdings.policies.filter(({ roles }) => roles.some((role) => holdings.roles.get(role)?.has(action)))
  if (having.length === 0) return null
  let id: string | null = null
  for (const part of partsFor(action, expression)) {
    const policy = having.find((whole) => covers(whole, part, holdings.now))
    if (!policy) return null
    id = policy.id
  }
  return id
}

/** The first of the roles that is above what the holder has over all of the expression; null when none is. */
export function roleAbove(holdings: Holdings, facts: Facts): string | null {
  const above = makeAbove(holdings, facts)
  // What the delegator role hands on is bounded by the authorization it stands in; giving it needs no level of its own.
  const isAbove = (role: string): boolean => [...(holdings.roles.get(role) ?? [])].some(above)
  return facts.roles.find((role) => role !== delegatorRole && isAbove(role)) ?? null
}

/** The same for actions. */
export const actionAbove = (holdings: Holdings, expression: Expression, actions: readonly string[]): string | null =>
  actions.find(makeAbove(holdings, expression)) ?? null

/** A privilege beside the levels, such as purging, is for whoever has the highest level to give. */
function makeAbove(holdings: Holdings, expression: Expression): (action: string) => boolean {
  const known = new Map<string, boolean>()
  const holds = (action: string): boolean => {
    const held = known.get(action) ?? heldBy(holdings, action, expression) !== null
    known.set(action, held)
    return held
  }
  const serviceName = valueOf(expression.resource, 'serviceName')
  const matters = (action: string): boolean =>
    (serviceName === undefined || actionConcerns(action, serviceName)) && partsFor(action, expression).length > 0
  const within = (action: string): boolean =>
    holds(action) ||
    (!levelActions.has(action) && ['iam.policy.create', ...managerActionsOf(prefixOf(action))].every(holds))
  return (action) => matters(action) && !within(action)
}

/** Those parts of the expression in which the action can be done at all. */
const partsFor = (action: string, expression: Expression): readonly Expression[] =>
  partsOf(expression).filter(({ resource }) => {
    const type = valueOf(resource, 'serviceType')
    return (type !== 'service' && type !== 'platform_service') || actionConcernsType(action, type)
  })

const prefixOf = (action: string): string => action.slice(0, action.indexOf('.'))
