// Wire to domain: the policies of a key. Source: Key Protect API v2, "Set key policies"; Key Protect, "Setting a rotation
// policy" (months from 1 to 12), "Error messages".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { invalidField } from './base64.ts'
import { badBody, resourcesOf } from './envelope.ts'
import type { keyPoliciesBody } from './schemas-settings.ts'
import { rotationMonths } from './waits.ts'

export type KeyPolicyType = 'rotation' | 'dualAuthDelete'

/** What is asked of each policy; months are absent where the ones that are kept shall stay. */
export interface KeyPolicyChange {
  readonly rotation: { readonly enabled: boolean; readonly months: number | null } | null
  readonly dualAuthDelete: { readonly enabled: boolean } | null
}

/** One resource with both, or one for each; with `?policy=` only that one. */
export function keyPolicyChange(body: Static<typeof keyPoliciesBody>, policy: string | undefined): KeyPolicyChange {
  const only = policyType(policy)
  const resources = resourcesOf(body, 'policy')
  if (only !== null && resources.length > 1) throw tooManyResources(only)
  const types = resources.flatMap((resource) => keyPolicyTypes.filter((type) => resource[type] !== undefined))
  if (types.length === 0) throw badBody('resources', 'resources hold no policy')
  if (new Set(types).size < types.length) throw badBody('resources', 'a policy is given twice')
  if (only !== null && types.some((type) => type !== only)) throw otherPolicy(only)
  const rotation = resources.find((resource) => resource.rotation !== undefined)?.rotation
  const dualAuthDelete = resources.find((resource) => resource.dualAuthDelete !== undefined)?.dualAuthDelete
  return {
    rotation: rotation
      ? { enabled: rotation.enabled ?? true, months: monthsOf(rotation.interval_month, 'rotation.interval_month') }
      : null,
    dualAuthDelete: dualAuthDelete ?? null,
  }
}

export function policyType(policy: string | undefined): KeyPolicyType | null {
  if (policy === undefined) return null
  const type = keyPolicyTypes.find((name) => name === policy)
  if (type) return type
  throw new Fault('invalid', `policy must be one of ${keyPolicyTypes.join(', ')}`, {
    reason: 'INVALID_QUERY_PARAM_ERR',
    target: { type: 'parameter', name: 'policy' },
  })
}

/** For policies that come with a new key, where there are no months yet that could stay. */
export function rotationMonthsOf(rotation: { readonly enabled?: boolean; readonly interval_month?: number }): {
  readonly enabled: boolean
  readonly months: number
} {
  const months = monthsOf(rotation.interval_month, 'rotation.interval_month')
  if (months === null) throw invalidField('rotation.interval_month', 'rotation.interval_month is required')
  return { enabled: rotation.enabled ?? true, months }
}

export function monthsOf(months: number | undefined, field: string): number | null {
  if (months === undefined) return null
  const { min, max } = rotationMonths
  if (Number.isInteger(months) && months >= min && months <= max) return months
  throw invalidField(field, `${field} must be a whole number from ${min} to ${max}`)
}

const keyPolicyTypes = ['rotation', 'dualAuthDelete'] as const

/** Key Protect, "Error messages". */
export const tooManyResources = (policy: string): Fault =>
  new Fault('invalid', `with policy=${policy} resources must hold exactly one policy`, {
    reason: 'NUM_COLLECTION_RESOURCE_ERR',
    target: { type: 'field', name: 'resources' },
  })

export const otherPolicy = (policy: string): Fault =>
  new Fault('invalid', `the body holds another policy than policy=${policy}`, {
    reason: 'BODY_QUERY_PARAM_MISMATCH_ERR',
    target: { type: 'parameter', name: 'policy' },
  })
