// Wire to domain: the policies of an instance, and which attributes each has. Source: Key Protect API v2, "Set instance
// policies"; Key Protect, "Managing instance policies", "Error messages".

import type { Static } from 'typebox'
import { Fault } from '#base/fault.ts'
import { allowedIpRangesMax } from '#base/limits.ts'
import { invalidField } from './base64.ts'
import { badBody, resourcesOf } from './envelope.ts'
import { monthsOf, otherPolicy, tooManyResources } from './key-policy-request.ts'
import { isIpv4Range } from './network.ts'
import { instancePolicyTypes } from './policy.ts'
import type { InstancePolicyType, PolicyAttributes } from './policy.ts'
import type { instancePoliciesBody } from './schemas-settings.ts'

export interface InstancePolicyChange {
  readonly type: InstancePolicyType
  readonly enabled: boolean
  readonly attributes: PolicyAttributes
}

type Body = Static<typeof instancePoliciesBody>

export function instancePolicyChanges(body: Body, policy: string | undefined): readonly InstancePolicyChange[] {
  const only = instancePolicyType(policy)
  const resources = resourcesOf(body, 'policy')
  if (resources.length === 0) throw badBody('resources', 'resources hold no policy')
  if (only !== null && resources.length > 1) throw tooManyResources(only)
  const changes = resources.map(changeOf)
  if (only !== null && changes.some((change) => change.type !== only)) throw otherPolicy(only)
  if (new Set(changes.map((change) => change.type)).size < changes.length) {
    throw badBody('resources', 'a policy is given twice')
  }
  return changes
}

export function instancePolicyType(policy: string | undefined): InstancePolicyType | null {
  if (policy === undefined) return null
  const type = instancePolicyTypes.find((name) => name === policy)
  if (type) return type
  throw new Fault('invalid', `policy must be one of ${instancePolicyTypes.join(', ')}`, {
    reason: 'INVALID_QUERY_PARAM_ERR',
    target: { type: 'parameter', name: 'policy' },
  })
}

function changeOf(resource: Body['resources'][number]): InstancePolicyChange {
  if ('dualAuthDelete' in resource) {
    return { type: 'dualAuthDelete', enabled: resource.dualAuthDelete.enabled, attributes: {} }
  }
  const type = instancePolicyTypes.find((name) => name === resource.policy_type)
  if (!type) throw invalidField('policy_type', `policy_type must be one of ${instancePolicyTypes.join(', ')}`)
  const { enabled, attributes = {} } = resource.policy_data
  for (const name of Object.keys(attributes)) {
    if (!attributesOf[type].some((known) => known === name)) {
      throw invalidField(`attributes.${name}`, `a policy of type ${type} has no attribute ${name}`)
    }
  }
  checkAttributes(type, enabled, attributes)
  return { type, enabled, attributes }
}

const attributesOf = {
  allowedIP: ['allowed_ip'],
  allowedNetwork: ['allowed_network'],
  dualAuthDelete: [],
  keyCreateImportAccess: [
    'create_root_key',
    'create_standard_key',
    'import_root_key',
    'import_standard_key',
    'enforce_token',
  ],
  metrics: [],
  rotation: ['interval_month'],
} as const satisfies Record<InstancePolicyType, readonly (keyof PolicyAttributes)[]>

/** A policy that is in force says what it forces. One that is disabled may leave that out. */
function checkAttributes(type: InstancePolicyType, enabled: boolean, attributes: PolicyAttributes): void {
  if (type === 'allowedNetwork' && enabled && attributes.allowed_network === undefined) {
    throw invalidField('attributes.allowed_network', 'attributes.allowed_network is required')
  }
  if (type === 'allowedIP') checkAddresses(attributes.allowed_ip ?? [], enabled)
  if (type === 'rotation') {
    const months = monthsOf(attributes.interval_month, 'attributes.interval_month')
    if (enabled && months === null)
      throw invalidField('attributes.interval_month', 'attributes.interval_month is required')
  }
}

function checkAddresses(addresses: readonly string[], enabled: boolean): void {
  const field = 'attributes.allowed_ip'
  if (enabled && addresses.length === 0) throw invalidField(field, `${field} must name at least one address`)
  if (addresses.length > allowedIpRangesMax) {
    throw invalidField(field, `${field} must name at most ${allowedIpRangesMax} addresses`)
  }
  if (addresses.some((address) => address.includes(':'))) {
    throw new Fault('forbidden', 'allowedIP takes IPv4 addresses and ranges alone', {
      reason: 'FEATURE_RESTRICTED_ERR',
      target: { type: 'field', name: field },
    })
  }
  if (!addresses.every(isIpv4Range)) throw invalidField(field, `${field} must hold IPv4 addresses or CIDR ranges`)
}
