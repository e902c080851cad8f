// Access tokens: given for a grant, shown with each request. A signature is checked once and remembered; whether whoever it
// speaks for may still act is asked for every request (bearers.ts).

import { createHash } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import type { KeyObject } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { clockSkewMs, receiverClientsMax, resourceTokenMs, verifiedTokensMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Database } from '#store/database.ts'
import type { Bearer, Bearers } from './bearers.ts'
import { claimsOf, issuer, tokenScope, verifiedTokenOf } from './claims.ts'
import type { VerifiedToken } from './claims.ts'
import { sane } from './client-id.ts'
import type { Caller } from './port.ts'
import { makeRecent } from './recent.ts'
import { makeRefreshTokens } from './refresh-tokens.ts'
import type { Delegation } from './refresh-tokens.ts'
import { accessTokenSeconds, parseSettings } from './settings.ts'
import type { PublicJwk, SigningKeys } from './signing-keys.ts'
import type { Throttle } from './throttle.ts'
import { grantTypes, makeTokenGrants } from './token-grants.ts'
import type { TokenRequest } from './token-grants.ts'

export interface IssuedToken {
  readonly accessToken: string
  /** Null where the bearer or the client has none. */
  readonly refreshToken: string | null
  readonly delegatedRefreshToken: string | null
  readonly expiresAtSeconds: number
  readonly lifetimeSeconds: number
  readonly scope: string
}

export interface Tokens {
  /** Fault 'invalid' with reason BXNIM0415E when the key logs nobody in, for whatever reason; token-grants.ts says more. */
  issue(request: TokenRequest): Promise<IssuedToken>
  /** For a service of this product, by the CRN of what it is: how it begins to speak to the others. Never for a request. */
  issueToService(crn: string): Promise<IssuedToken>
  /** As IamPort says. */
  authenticate(token: string, remoteAddress?: string): Promise<Caller>
  publicJwks(): Promise<readonly PublicJwk[]>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly keys: SigningKeys
  readonly bearers: Bearers
  readonly throttle: Throttle
}

export function makeTokens(parts: Parts): Tokens {
  const { clock, keys, bearers } = parts
  const refreshTokens = makeRefreshTokens(parts)
  const verified = makeRecent<VerifiedToken>(verifiedTokensMax)

  async function verifyOnce(token: string): Promise<VerifiedToken> {
    const hash = createHash('sha256').update(token).digest('base64url')
    const known = verified.get(hash)
    if (known && clock.now() < known.expiresAtMs + clockSkewMs) return known
    verified.delete(hash)
    const fresh = await verify(token, keys, clock)
    verified.set(hash, fresh)
    return fresh
  }

  async function bearerOf(token: string): Promise<Bearer> {
    const bearer = await bearers.ofToken(await verifyOnce(token))
    if (bearer) return bearer
    throw new Fault('unauthenticated', 'the API key, identity or account of this token is disabled or gone')
  }

  const grants = makeTokenGrants({ ...parts, refreshTokens, bearerOf })

  async function sign(bearer: Bearer, { grantType, clientId }: TokenRequest) {
    const issuedAtSeconds = Math.floor(clock.now() / 1000)
    const lifetimeSeconds = lifetimeOf(bearer)
    const expiresAtSeconds = issuedAtSeconds + lifetimeSeconds
    const named = { jti: makeUuid(parts.random), clientId: clientId ?? 'default', grantType }
    const { kid, privateKey } = await keys.signer()
    const accessToken = await new SignJWT(claimsOf(bearer, { ...named, issuedAtSeconds, expiresAtSeconds }))
      .setProtectedHeader({ alg: 'RS256', kid })
      .sign(privateKey)
    return { accessToken, expiresAtSeconds, lifetimeSeconds, scope: tokenScope }
  }

  return {
    async issue(request) {
      const delegation = delegationOf(request)
      const { bearer, refresh } = await grants.decide(request)
      const made = refresh === 'new' && request.clientId !== null
      return {
        ...(await sign(bearer, request)),
        refreshToken: made ? await refreshTokens.make(bearer, request.clientId) : tokenOf(refresh),
        delegatedRefreshToken: delegation && (await refreshTokens.makeDelegated(bearer, delegation)),
      }
    },

    async issueToService(crn) {
      const bearer = await bearers.service(crn, null)
      if (!bearer) throw new Fault('invalid', `${crn} names no service of an account that may act`)
      const request = { grantType: grantTypes.iamAuthz, clientId: null }
      return { ...(await sign(bearer, request)), refreshToken: null, delegatedRefreshToken: null }
    },

    async authenticate(token, remoteAddress) {
      const bearer = await bearerOf(token)
      bearers.checkAddress(bearer, remoteAddress)
      const { iamId, accountId, kind, name, email, authn } = bearer
      return { iamId, accountId, kind, name: kind === 'user' ? email : name, personId: authn.iamId }
    },

    publicJwks: () => keys.publicJwks(),
  }
}

const tokenOf = (refresh: 'new' | 'none' | { readonly token: string }): string | null =>
  typeof refresh === 'string' ? null : refresh.token

/** A service's resource has less time than the accounts' settings know of. */
const lifetimeOf = ({ kind, settings }: Bearer): number =>
  Math.min(kind === 'service' ? resourceTokenMs / 1000 : Infinity, accessTokenSeconds(parseSettings(settings)))

/** `response_type=delegated_refresh_token`, which needs somebody to delegate to. Other members of the list change nothing. */
function delegationOf({
  grantType,
  responseType,
  receiverClientIds,
  delegatedSeconds,
}: TokenRequest): Delegation | null {
  if (!responseType?.split(' ').includes('delegated_refresh_token')) return null
  const target = { type: 'field', name: 'receiver_client_ids' } as const
  if (grantType !== grantTypes.apiKey && grantType !== grantTypes.refreshToken) {
    throw new Fault('invalid', 'a delegated refresh token is given for an API key or a refresh token only', { target })
  }
  const clientIds = (receiverClientIds ?? '').split(/[\s,]+/).filter((id) => id !== '')
  if (clientIds.length === 0 || clientIds.length > receiverClientsMax || !clientIds.every((id) => sane.test(id))) {
    const sentence = `receiver_client_ids must name 1 to ${receiverClientsMax} clients that may use the token`
    throw new Fault('invalid', sentence, { reason: 'BXNIM0102E', target })
  }
  return { clientIds, seconds: delegatedSeconds }
}

async function verify(token: string, keys: SigningKeys, clock: Clock): Promise<VerifiedToken> {
  try {
    const { payload } = await jwtVerify(token, ({ kid }) => keyOf(keys, kid), {
      algorithms: ['RS256'],
      issuer,
      requiredClaims: ['iat', 'exp'],
      currentDate: new Date(clock.now()),
      clockTolerance: clockSkewMs / 1000,
    })
    const claims = verifiedTokenOf(payload)
    // Signed by a replica whose clock is ahead of ours: not valid yet, by more than clocks may differ.
    if (claims && claims.issuedAtMs > clock.now() + clockSkewMs) {
      throw new Fault('unauthenticated', 'the token was issued in the future: the clocks of servers differ')
    }
    if (claims) return claims
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) throw new Fault('unauthenticated', 'the token has expired', { cause })
    if (!(cause instanceof errors.JOSEError)) throw cause
  }
  // One sentence for every way of not being ours: a forger learns nothing from it.
  throw new Fault('unauthenticated', 'the token is malformed or was not issued here')
}

async function keyOf(keys: SigningKeys, kid: string | undefined): Promise<KeyObject> {
  const key = await keys.publicKey(kid ?? '')
  if (!key) throw new errors.JWKSNoMatchingKey()
  return key
}
