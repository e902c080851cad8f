// Authorizations: who of which account may do what with which keys. Reading them, and the least one that lets an account
// encrypt volumes with a key. Pure.

import type { Answer } from './operations.ts'

export type Policy = Answer<'iam', 'listPolicies'>['policies'][number]

type Attributes = readonly { readonly name: string; readonly value: string; readonly operator?: unknown }[]

const valueOf = (attributes: Attributes | undefined, name: string): string | undefined =>
  attributes?.find((one) => one.name === name)?.value

/** The service that may, and of which account. */
export interface Source {
  readonly serviceName: string
  readonly accountId: string
}

export const sourceOf = ({ subjects }: Policy): Source => ({
  serviceName: valueOf(subjects[0]?.attributes, 'serviceName') ?? 'any service',
  accountId: valueOf(subjects[0]?.attributes, 'accountId') ?? '',
})

export interface Reach {
  readonly serviceName: string | undefined
  readonly instanceId: string | undefined
  readonly keyRing: string | undefined
  readonly keyId: string | undefined
}

export function reachOf({ resources }: Policy): Reach {
  const attributes = resources[0]?.attributes
  return {
    serviceName: valueOf(attributes, 'serviceName'),
    instanceId: valueOf(attributes, 'serviceInstance'),
    keyRing: valueOf(attributes, 'keyRing'),
    keyId: valueOf(attributes, 'resourceType') === 'key' ? valueOf(attributes, 'resource') : undefined,
  }
}

/** IBM's name for block storage as the subject of an authorization (VPC docs, "service-to-service authorizations"). */
export const blockStorage = 'server-protect'

export const serviceNames: Readonly<Record<string, string>> = {
  [blockStorage]: 'Block storage',
  is: 'VPC infrastructure',
  kms: 'Key Protect',
  'hs-crypto': 'Hyper Protect Crypto Services',
  'cloud-object-storage': 'Object storage',
}

/**
 * Lets block storage of an account use one key, or all keys of an instance: role Reader, which wraps and unwraps and reads
 * no key material. The same as the explanation of a refusal names.
 */
export const letUse = (parts: {
  readonly owner: string
  readonly user: string
  readonly serviceName: string
  readonly instanceId: string
  readonly keyId: string | null
}) => ({
  type: 'authorization' as const,
  description: 'Volumes under a key of this account',
  subjects: [
    {
      attributes: [
        { name: 'serviceName', value: blockStorage },
        { name: 'accountId', value: parts.user },
      ],
    },
  ],
  roles: [{ role_id: 'crn:v1:bluemix:public:iam::::serviceRole:Reader' }],
  resources: [
    {
      attributes: [
        { name: 'accountId', value: parts.owner },
        { name: 'serviceName', value: parts.serviceName },
        { name: 'serviceInstance', value: parts.instanceId },
        ...(parts.keyId === null
          ? []
          : [
              { name: 'resourceType', value: 'key' },
              { name: 'resource', value: parts.keyId },
            ]),
      ],
    },
  ],
})

export const isAccountId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text)
