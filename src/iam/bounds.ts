// What an authorization may be bounded by: until when, for what, and how much. Keyward's own: a documented policy is one
// without. Pure. A bound takes away and adds nothing; what a request does not tell, no bound takes for granted.
// docs/decisions/0033-bounded-authorizations.md.

import { resourceAttributes } from './attributes.ts'
import { holds } from './conditions.ts'
import type { PolicyFacts, Request } from './decide.ts'
import type { Allowance, Amounts, Decision, KeyPurpose, PassedBound } from './port.ts'

export const purposes = ['attach', 'create-volume', 'create-snapshot', 'create-image'] as const
export type Purpose = (typeof purposes)[number]

export interface Bounds {
  /** Milliseconds since 1970, by the clock of keys. */
  readonly expiresAt?: number
  readonly maxVolumes?: number
  readonly maxCapacityGb?: number
  readonly profiles?: readonly string[]
  readonly zones?: readonly string[]
  readonly purposes?: readonly Purpose[]
  /** Whether what passes a bound is refused, or only counted. */
  readonly mode: 'enforce' | 'monitor'
}

/** When the bounds end what they bound; null where they do not. */
export const endOf = (bounds: Bounds | undefined): number | null =>
  bounds?.mode === 'enforce' ? (bounds.expiresAt ?? null) : null

/** A policy's own bounds and those of the one that it was derived from, each with what it is for. */
export const limitsOf = (policy: PolicyFacts): readonly Limit[] =>
  [policy, ...(policy.under ? [policy.under] : [])].flatMap(({ id, resource, bounds }) =>
    bounds ? [{ id, resource, bounds }] : [],
  )

type Limit = Pick<PolicyFacts, 'id' | 'resource'> & { readonly bounds: Bounds }

/** Whether the time of the policy, or of the one that it was derived from, is over. */
export const hasEnded = (policy: PolicyFacts, keyNow: number | undefined): boolean =>
  limitsOf(policy).some(({ bounds }) => isOver(bounds, keyNow) && bounds.mode === 'enforce')

/** Without a clock no time is known to be left. */
const isOver = ({ expiresAt }: Bounds, keyNow: number | undefined): boolean =>
  expiresAt !== undefined && (keyNow === undefined || keyNow >= expiresAt)

interface Weighed {
  readonly id: string
  /** The first bound that refuses, and the first that would if it were not only watched; amounts apart. */
  readonly refusedBy: PassedBound | null
  readonly notedBy: PassedBound | null
  readonly amounts: readonly Amounts[]
  /** When the leave ends; infinite where it does not. */
  readonly endsAt: number
}

/**
 * Between policies that would all permit but for their bounds: one that has room without counting before one that counts,
 * one that refuses nothing before one that is only watched, and the one that lasts longest before the others.
 */
export function decideBounded(policies: readonly PolicyFacts[], request: Request): Decision {
  const weighed = policies.map((policy) => weigh(policy, request)).toSorted((a, b) => byEnd(b.endsAt, a.endsAt))
  const able = weighed.filter(({ refusedBy }) => refusedBy === null)
  const ordered = [...able.filter(({ notedBy }) => !notedBy), ...able.filter(({ notedBy }) => notedBy)]
  const [first] = ordered
  if (!first) {
    const passed = weighed[0]?.refusedBy
    return { permitted: false, ...(passed && { passed }) }
  }
  const free = ordered.find(({ notedBy, amounts }) => !notedBy && amounts.length === 0)
  if (free) return { permitted: true, policyId: free.id }
  const policyId = first.id
  if (ordered.some(({ amounts }) => amounts.length > 0)) {
    return { permitted: true, policyId, allowances: ordered.map(allowanceOf) }
  }
  return { permitted: true, policyId, ...(first.notedBy && !isPrelude(request) && { noted: first.notedBy }) }
}

/** To wrap for what is registered next: one use, which is noted when it registers. */
const isPrelude = ({ action, keyUse }: Request): boolean => keyUse !== undefined && action.endsWith('.secrets.wrap')

const byEnd = (a: number, b: number): number => (a === b ? 0 : a - b)

const allowanceOf = ({ id, notedBy, amounts }: Weighed): Allowance => ({ policyId: id, noted: notedBy, amounts })

function weigh(policy: PolicyFacts, request: Request): Weighed {
  const limits = limitsOf(policy)
  const passed = limits.flatMap(({ id, bounds }) => {
    const name = passedBy(bounds, request)
    return name === null ? [] : [passedBound(id, bounds, name)]
  })
  return {
    id: policy.id,
    refusedBy: passed.find(({ isEnforced }) => isEnforced) ?? null,
    notedBy: passed.find(({ isEnforced }) => !isEnforced) ?? null,
    amounts: counts(request) ? limits.flatMap(amountsOf) : [],
    endsAt: Math.min(...limits.map(({ bounds }) => endOf(bounds) ?? Infinity)),
  }
}

/** The first bound that the request passes, amounts apart. */
function passedBy(bounds: Bounds, { action, keyNow, keyUse }: Request): PassedBound['bound'] | null {
  if (isOver(bounds, keyNow)) return 'expires_at'
  if (!keyUse && !makes(action)) return null
  if (bounds.purposes && !isOneOf(bounds.purposes, keyUse?.purpose)) return 'purposes'
  // Only volumes have these; what does not say that it is none is held to them.
  if (keyUse && isOther(keyUse)) return null
  if (bounds.profiles && !isOneOf(bounds.profiles, keyUse?.profile)) return 'profiles'
  if (bounds.zones && !isOneOf(bounds.zones, keyUse?.zone)) return 'zones'
  return null
}

const isOneOf = (list: readonly string[], value: string | undefined): boolean =>
  value !== undefined && list.includes(value)

const isOther = ({ purpose }: KeyPurpose): boolean => purpose === 'create-snapshot' || purpose === 'create-image'

/** Actions that put something new under a key; all others use, or give up, what lies there. */
const makes = (action: string): boolean => /^(kms|hs-crypto)\.(secrets\.wrap|registrations\.create)$/.test(action)

/** Volumes count where they are registered: to wrap for one is not to have one. */
const counts = ({ action, keyUse }: Request): boolean =>
  keyUse !== undefined && !isOther(keyUse) && /^(kms|hs-crypto)\.registrations\./.test(action)

function amountsOf({ id, bounds, resource }: Limit): readonly Amounts[] {
  const { maxVolumes, maxCapacityGb, mode } = bounds
  if (maxVolumes === undefined && maxCapacityGb === undefined) return []
  return [
    {
      policyId: id,
      isEnforced: mode === 'enforce',
      volumesMax: maxVolumes ?? null,
      capacityGbMax: maxCapacityGb ?? null,
      covers: (target) => {
        const attributes = resourceAttributes(target)
        return resource.every((condition) => holds(condition, attributes.get(condition.name)))
      },
    },
  ]
}

const passedBound = (policyId: string, bounds: Bounds, bound: PassedBound['bound']): PassedBound => ({
  policyId,
  bound,
  limit: limitIn(bounds, bound),
  isEnforced: bounds.mode === 'enforce',
})

function limitIn(bounds: Bounds, bound: PassedBound['bound']): PassedBound['limit'] {
  switch (bound) {
    case 'expires_at':
      return bounds.expiresAt ?? 0
    case 'profiles':
    case 'zones':
    case 'purposes':
      return bounds[bound] ?? []
    default:
      throw new Error(`amounts are counted where volumes are registered: ${bound}`)
  }
}
