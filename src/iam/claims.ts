// What a token says. Source: IBM Cloud IAM tokens as its clients decode them; `iss` stays IBM Cloud's, since the Terraform
// provider takes any other issuer for a test environment. `apikey_id` is our own claim: the key that the token came from.

import type { JWTPayload } from 'jose'
import type { Bearer, Person } from './bearers.ts'

export const issuer = 'https://iam.cloud.ibm.com/identity'
export const tokenScope = 'ibm openid'

export interface TokenTimes {
  readonly jti: string
  readonly issuedAtSeconds: number
  readonly expiresAtSeconds: number
  readonly clientId: string
  readonly grantType: string
}

export function claimsOf(bearer: Bearer, times: TokenTimes): JWTPayload {
  const { iamId, accountId, apiKeyId, authn, uniqueInstanceCrns, kind } = bearer
  const isService = kind === 'service'
  // `IBMid-…` has its realm before the first dash, and so have `iam-ServiceId-…` and `crn-crn:…`.
  const dash = iamId.indexOf('-')
  return {
    ...personClaims(bearer),
    id: iamId,
    realmid: iamId.slice(0, dash),
    identifier: iamId.slice(dash + 1),
    account: { valid: true, bss: accountId, ...(!isService && { frozen: true }) },
    authn: personClaims(authn),
    ...(uniqueInstanceCrns && { unique_instance_crns: uniqueInstanceCrns }),
    jti: times.jti,
    iat: times.issuedAtSeconds,
    exp: times.expiresAtSeconds,
    iss: issuer,
    grant_type: times.grantType,
    scope: tokenScope,
    client_id: times.clientId,
    acr: isService ? 0 : 1,
    amr: isService ? [] : ['pwd'],
    ...(apiKeyId !== null && { apikey_id: apiKeyId }),
  }
}

const subTypes = { serviceId: 'ServiceId', profile: 'Profile', service: 'CRN' } as const

function personClaims({ kind, iamId, name, email }: Person) {
  if (kind !== 'user') {
    const sub = iamId.slice(iamId.indexOf('-') + 1)
    return { sub, iam_id: iamId, sub_type: subTypes[kind], ...(kind !== 'service' && { name }) }
  }
  const [given, ...family] = name.split(' ')
  return { sub: email, iam_id: iamId, name, given_name: given, family_name: family.join(' '), email }
}

/** What `authenticate` needs of a token whose signature is right. */
export interface VerifiedToken {
  readonly iamId: string
  readonly accountId: string
  readonly authnIamId: string
  /** Null in the tokens of services. */
  readonly apiKeyId: string | null
  readonly issuedAtMs: number
  readonly expiresAtMs: number
}

/** Null when a claim that we always write is not there: a token of somebody else's making. */
export function verifiedTokenOf(claims: JWTPayload): VerifiedToken | null {
  const { iam_id: iamId, apikey_id: apiKeyId = null, iat, exp } = claims
  const [accountId, authnIamId] = [textIn(claims['account'], 'bss'), textIn(claims['authn'], 'iam_id')]
  if (typeof iamId !== 'string' || accountId === null || authnIamId === null) return null
  if (apiKeyId === null ? !authnIamId.startsWith('crn-') : typeof apiKeyId !== 'string') return null
  if (typeof iat !== 'number' || typeof exp !== 'number') return null
  return {
    iamId,
    accountId,
    authnIamId,
    apiKeyId: typeof apiKeyId === 'string' ? apiKeyId : null,
    issuedAtMs: iat * 1000,
    expiresAtMs: exp * 1000,
  }
}

function textIn(claim: unknown, name: string): string | null {
  if (typeof claim !== 'object' || claim === null) return null
  const value: unknown = Reflect.get(claim, name)
  return typeof value === 'string' ? value : null
}
