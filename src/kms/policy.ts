// Policies as they are kept: of a key, and of an instance. Pure data and pure questions; who may set them is asked in
// key-policies.ts and instance-policies.ts.
// Source: Key Protect, "Setting a rotation policy", "Dual authorization", "Managing instance policies".

export interface Stamp {
  readonly createdAt: number
  readonly createdBy: string
  readonly updatedAt: number
  readonly updatedBy: string
}

export interface RotationPolicy extends Stamp {
  readonly id: string
  readonly enabled: boolean
  /** Kept while the policy is paused. */
  readonly months: number
}

export interface DualAuthPolicy extends Stamp {
  readonly id: string
  readonly enabled: boolean
}

export interface KeyPolicies {
  readonly rotation: RotationPolicy | null
  readonly dualAuthDelete: DualAuthPolicy | null
}

export const noKeyPolicies: KeyPolicies = { rotation: null, dualAuthDelete: null }

/** What a creation may ask for beside, or instead of, what the instance gives new keys. */
export interface WantedKeyPolicies {
  readonly rotation: { readonly enabled: boolean; readonly months: number } | null
  readonly dualAuthDelete: { readonly enabled: boolean } | null
}

export const instancePolicyTypes = [
  'allowedIP',
  'allowedNetwork',
  'dualAuthDelete',
  'keyCreateImportAccess',
  'metrics',
  'rotation',
] as const

export type InstancePolicyType = (typeof instancePolicyTypes)[number]

/** The attributes by their names on the wire; which a type has is checked at the door (instance-policy-request.ts). */
export interface PolicyAttributes {
  readonly allowed_network?: 'public-and-private' | 'private-only'
  readonly allowed_ip?: readonly string[]
  readonly interval_month?: number
  readonly create_root_key?: boolean
  readonly create_standard_key?: boolean
  readonly import_root_key?: boolean
  readonly import_standard_key?: boolean
  readonly enforce_token?: boolean
}

export interface InstancePolicy extends Stamp {
  readonly enabled: boolean
  readonly attributes: PolicyAttributes
}

export type InstancePolicies = { readonly [Type in InstancePolicyType]?: InstancePolicy }

/** The attributes of a policy that is in force, or null. */
const inForce = (policies: InstancePolicies, type: InstancePolicyType): PolicyAttributes | null => {
  const policy = policies[type]
  return policy?.enabled ? policy.attributes : null
}

export const isPrivateOnly = (policies: InstancePolicies): boolean =>
  inForce(policies, 'allowedNetwork')?.allowed_network === 'private-only'

/** Addresses and ranges from which alone requests are taken, or null for all. */
export const allowedAddresses = (policies: InstancePolicies): readonly string[] | null =>
  inForce(policies, 'allowedIP')?.allowed_ip ?? null

export const isMetered = (policies: InstancePolicies): boolean => inForce(policies, 'metrics') !== null

/** "Key create and import access": what is not said falls back to these. */
const creationDefaults = {
  create_root_key: true,
  create_standard_key: true,
  import_root_key: true,
  import_standard_key: true,
  enforce_token: false,
} as const

export type Material = 'generated' | 'imported' | 'importedSecurely'

/** Null where the policy permits it, else the attribute that forbids it. */
export function creationForbiddenBy(
  policies: InstancePolicies,
  wanted: { readonly extractable: boolean; readonly material: Material },
): keyof typeof creationDefaults | null {
  const access = { ...creationDefaults, ...inForce(policies, 'keyCreateImportAccess') }
  const kind = wanted.extractable ? 'standard_key' : 'root_key'
  if (wanted.material === 'generated') return access[`create_${kind}`] ? null : `create_${kind}`
  // "enforce_token overrides import_root_key and import_standard_key"; a token carries no standard key.
  if (access.enforce_token) return wanted.material === 'importedSecurely' ? null : 'enforce_token'
  return access[`import_${kind}`] ? null : `import_${kind}`
}

/** What the instance gives each new key. A rotation needs material that can be made here. */
export function givenPolicies(
  policies: InstancePolicies,
  key: { readonly extractable: boolean; readonly imported: boolean },
): WantedKeyPolicies {
  const months = inForce(policies, 'rotation')?.interval_month
  const rotates = months !== undefined && !key.extractable && !key.imported
  return {
    rotation: rotates ? { enabled: true, months } : null,
    dualAuthDelete: inForce(policies, 'dualAuthDelete') ? { enabled: true } : null,
  }
}
