// Access tokens: given for an API key, shown with each request. A signature is checked once and remembered; whether key,
// identity and account still stand is read for every request, so that what is disabled is out at once, whatever its tokens
// say. (IBM Cloud lets such tokens live out their hour; docs/compatibility.md records the difference.)

import { createHash } from 'node:crypto'
import { errors, jwtVerify, SignJWT } from 'jose'
import type { KeyObject } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { accessTokenMs, clockSkewMs, verifiedTokensMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Database } from '#store/database.ts'
import { hashApiKey } from './api-keys.ts'
import { apiKeyGrant, claimsOf, issuer, tokenScope, verifiedTokenOf } from './claims.ts'
import type { VerifiedToken } from './claims.ts'
import type { Caller } from './port.ts'
import { makeRecent } from './recent.ts'
import type { PublicJwk, SigningKeys } from './signing-keys.ts'
import { loginByApiKey, loginByHash } from './tables-accounts.ts'

export interface TokenRequest {
  readonly grantType: string
  readonly apiKey: string | undefined
  /** The user of HTTP Basic authentication; clients of IBM Cloud are public (`bx:bx`), so it is a name and proves nothing. */
  readonly clientId: string | null
}

export interface IssuedToken {
  readonly accessToken: string
  readonly expiresAtSeconds: number
  readonly lifetimeSeconds: number
  readonly scope: string
}

export interface Tokens {
  /** Fault 'invalid' with reason BXNIM0415E when the key logs nobody in, for whatever reason. */
  issue(request: TokenRequest): Promise<IssuedToken>
  /** As IamPort says. */
  authenticate(token: string): Promise<Caller>
  publicJwks(): readonly PublicJwk[]
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  readonly random: Random
  readonly keys: SigningKeys
}

export function makeTokens(parts: Parts): Tokens {
  const { database, clock, random, keys } = parts
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

  return {
    async issue(request) {
      const login = await loginByHash(database.reads, hashApiKey(apiKeyOf(request)))
      if (!login) throw new Fault('invalid', 'provided API key could not be found', { reason: 'BXNIM0415E' })
      const issuedAtSeconds = Math.floor(clock.now() / 1000)
      const lifetimeSeconds = accessTokenMs / 1000
      const expiresAtSeconds = issuedAtSeconds + lifetimeSeconds
      const clientId = request.clientId ?? 'default'
      const claims = claimsOf(login, { jti: makeUuid(random), issuedAtSeconds, expiresAtSeconds, clientId })
      const accessToken = await new SignJWT(claims)
        .setProtectedHeader({ alg: 'RS256', kid: keys.kid })
        .sign(keys.privateKey)
      return { accessToken, expiresAtSeconds, lifetimeSeconds, scope: tokenScope }
    },

    async authenticate(token) {
      const { apiKeyId, accountId, iamId } = await verifyOnce(token)
      const login = await loginByApiKey(database.reads, apiKeyId)
      if (!login || login.accountId !== accountId || login.iamId !== iamId) {
        throw new Fault('unauthenticated', 'the API key, identity or account of this token is disabled or gone')
      }
      const { kind, name, email } = login
      return { iamId, accountId, kind, name: kind === 'user' ? email : name }
    },

    publicJwks: () => keys.publicJwks,
  }
}

function apiKeyOf({ grantType, apiKey }: TokenRequest): string {
  if (grantType !== apiKeyGrant) {
    const supported = `this service gives tokens for ${apiKeyGrant}`
    throw new Fault('invalid', `grant type ${JSON.stringify(grantType.slice(0, 100))} is not supported: ${supported}`, {
      reason: 'BXNIM0109E',
      target: { type: 'field', name: 'grant_type' },
    })
  }
  if (apiKey) return apiKey
  throw new Fault('invalid', 'apikey is required', { reason: 'BXNIM0102E', target: { type: 'field', name: 'apikey' } })
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
    if (claims) return claims
  } catch (cause) {
    if (cause instanceof errors.JWTExpired) throw new Fault('unauthenticated', 'the token has expired', { cause })
    if (!(cause instanceof errors.JOSEError)) throw cause
  }
  // One sentence for every way of not being ours: a forger learns nothing from it.
  throw new Fault('unauthenticated', 'the token is malformed or was not issued here')
}

function keyOf(keys: SigningKeys, kid: string | undefined): KeyObject {
  const key = keys.publicKey(kid ?? '')
  if (!key) throw new errors.JWKSNoMatchingKey()
  return key
}
