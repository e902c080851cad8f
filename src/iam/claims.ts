// What a token says. Source: IBM Cloud IAM tokens as its clients decode them; `iss` stays IBM Cloud's, since the Terraform
// provider takes any other issuer for a test environment. `apikey_id` is our own claim: the key that the token came from.

import type { JWTPayload } from 'jose'
import type { Login } from './tables-accounts.ts'

export const issuer = 'https://iam.cloud.ibm.com/identity'
export const apiKeyGrant = 'urn:ibm:params:oauth:grant-type:apikey'
export const tokenScope = 'ibm openid'

export interface TokenTimes {
  readonly jti: string
  readonly issuedAtSeconds: number
  readonly expiresAtSeconds: number
  readonly clientId: string
}

export function claimsOf(login: Login, { jti, issuedAtSeconds, expiresAtSeconds, clientId }: TokenTimes): JWTPayload {
  const authn = authnClaims(login)
  // `IBMid-…` has its realm before the first dash, and so has `iam-ServiceId-…`.
  const dash = login.iamId.indexOf('-')
  return {
    ...authn,
    id: login.iamId,
    realmid: login.iamId.slice(0, dash),
    identifier: login.iamId.slice(dash + 1),
    account: { valid: true, bss: login.accountId, frozen: true },
    authn,
    jti,
    iat: issuedAtSeconds,
    exp: expiresAtSeconds,
    iss: issuer,
    grant_type: apiKeyGrant,
    scope: tokenScope,
    client_id: clientId,
    acr: 1,
    amr: ['pwd'],
    apikey_id: login.apiKeyId,
  }
}

/** Who logged in; for an API key that is who the token speaks for. */
function authnClaims({ kind, iamId, name, email }: Login) {
  if (kind === 'serviceId') return { sub: iamId.replace(/^iam-/, ''), iam_id: iamId, sub_type: 'ServiceId', name }
  const [given, ...family] = name.split(' ')
  return { sub: email, iam_id: iamId, name, given_name: given, family_name: family.join(' '), email }
}

/** What `authenticate` needs of a token whose signature is right. */
export interface VerifiedToken {
  readonly iamId: string
  readonly accountId: string
  readonly apiKeyId: string
  readonly expiresAtMs: number
}

/** Null when a claim that we always write is not there: a token of somebody else's making. */
export function verifiedTokenOf(claims: JWTPayload): VerifiedToken | null {
  const { iam_id: iamId, apikey_id: apiKeyId, account, exp } = claims
  if (typeof iamId !== 'string' || typeof apiKeyId !== 'string' || typeof exp !== 'number') return null
  if (typeof account !== 'object' || account === null || !('bss' in account)) return null
  if (typeof account.bss !== 'string') return null
  return { iamId, accountId: account.bss, apiKeyId, expiresAtMs: exp * 1000 }
}
