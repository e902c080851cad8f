// Who is to receive a token: one function per grant type of IBM Cloud's token API ("POST /identity/token"). Each finds a
// bearer or throws; none of them writes a token.

import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { Bearer, Bearers, ProfileName } from './bearers.ts'
import type { RefreshTokens } from './refresh-tokens.ts'
import type { Throttle } from './throttle.ts'

const urn = (name: string): string => `urn:ibm:params:oauth:grant-type:${name}`

export const grantTypes = {
  apiKey: urn('apikey'),
  refreshToken: 'refresh_token',
  assume: urn('assume'),
  iamAuthz: urn('iam-authz'),
  delegatedRefreshToken: urn('delegated-refresh-token'),
} as const

/** Grants that IBM Cloud has and we do not, with the reason. */
const withoutGround: Readonly<Record<string, string>> = {
  password: 'users of this server have no passwords; an API key logs in',
  [urn('passcode')]: 'there is no console login that could give a passcode; an API key logs in',
  [urn('cr-token')]: 'no compute resource here gives tokens; let a service id assume the profile',
}

/** Fields of the form, by their names inside; what a grant does not read is ignored, as IBM Cloud does. */
export interface TokenRequest {
  readonly grantType: string
  readonly apiKey?: string | undefined
  readonly refreshToken?: string | undefined
  readonly accessToken?: string | undefined
  readonly profileId?: string | undefined
  readonly profileCrn?: string | undefined
  readonly profileName?: string | undefined
  readonly account?: string | undefined
  readonly desiredIamId?: string | undefined
  readonly responseType?: string | undefined
  readonly receiverClientIds?: string | undefined
  readonly delegatedSeconds?: number | undefined
  /** The user of HTTP Basic authentication; clients of IBM Cloud are public (`bx:bx`), so it is a name and proves nothing. */
  readonly clientId: string | null
  /** Absent for calls from within. */
  readonly remoteAddress?: string | undefined
}

export interface Granted {
  readonly bearer: Bearer
  /** Whether a client with a name receives a refresh token, or which one it has already. */
  readonly refresh: 'new' | 'none' | { readonly token: string }
}

export interface TokenGrants {
  /** Fault 'invalid' for what the form lacks, 'unauthenticated' or 'forbidden' for who shows it. */
  decide(request: TokenRequest): Promise<Granted>
}

interface Parts {
  readonly bearers: Bearers
  readonly refreshTokens: RefreshTokens
  readonly throttle: Throttle
  /** Whom an access token speaks for, at this moment. */
  readonly bearerOf: (accessToken: string) => Promise<Bearer>
}

export function makeTokenGrants({ bearers, refreshTokens, throttle, bearerOf }: Parts): TokenGrants {
  async function byApiKey(request: TokenRequest): Promise<Granted> {
    const apiKey = needed(request.apiKey, 'apikey')
    const { remoteAddress } = request
    throttle.check(remoteAddress)
    const bearer = await bearers.byApiKey(apiKey)
    if (bearer) return { bearer, refresh: 'new' }
    const unknown = new Fault('invalid', 'provided API key could not be found', { reason: 'BXNIM0415E' })
    throw throttle.failed({ apiKey, remoteAddress }, unknown)
  }

  async function byRefreshToken(request: TokenRequest): Promise<Granted> {
    const token = needed(request.refreshToken, 'refresh_token')
    const bearer = await refreshTokens.open(token, { clientId: request.clientId, delegated: false })
    return { bearer, refresh: { token } }
  }

  async function byDelegatedToken(request: TokenRequest): Promise<Granted> {
    const token = needed(request.refreshToken, 'refresh_token')
    const bearer = await refreshTokens.open(token, { clientId: request.clientId, delegated: true })
    return { bearer, refresh: 'none' }
  }

  /** IBM Cloud IAM, "Trusted profiles": whoever is among its identities may. A profile is not: nobody climbs from one to the next. */
  async function byAssuming(request: TokenRequest): Promise<Granted> {
    const profile = profileOf(request)
    const who = await bearerOf(needed(request.accessToken, 'access_token'))
    const bearer = who.kind === 'profile' ? null : await bearers.assuming(who, profile)
    if (bearer) return { bearer, refresh: 'none' }
    throw new Fault('forbidden', `there is no such trusted profile, or it does not let ${who.iamId} assume it`)
  }

  /** A service speaks for one of its resources: same service, same account. People and service ids never become a service. */
  async function byService(request: TokenRequest): Promise<Granted> {
    const desired = needed(request.desiredIamId, 'desired_iam_id')
    const who = await bearerOf(needed(request.accessToken, 'access_token'))
    const crn = desired.startsWith('crn-') ? desired.slice('crn-'.length) : ''
    const bearer = isOwnResource(who, crn) ? await bearers.service(crn, who) : null
    if (bearer) return { bearer, refresh: 'none' }
    throw new Fault('forbidden', `${who.iamId} may not speak for ${JSON.stringify(desired.slice(0, 200))}`)
  }

  const grants: Readonly<Record<string, (request: TokenRequest) => Promise<Granted>>> = {
    [grantTypes.apiKey]: byApiKey,
    [grantTypes.refreshToken]: byRefreshToken,
    [grantTypes.delegatedRefreshToken]: byDelegatedToken,
    [grantTypes.assume]: byAssuming,
    [grantTypes.iamAuthz]: byService,
  }

  return {
    async decide(request) {
      const grant = Object.hasOwn(grants, request.grantType) ? grants[request.grantType] : undefined
      if (!grant) throw unsupported(request.grantType)
      const granted = await grant(request)
      bearers.checkAddress(granted.bearer, request.remoteAddress)
      return granted
    },
  }
}

function isOwnResource(who: Bearer, crn: string): boolean {
  const [own, wanted] = [who.kind === 'service' ? parseCrn(who.name) : null, parseCrn(crn)]
  return own !== null && wanted !== null && own.serviceName === wanted.serviceName && own.accountId === wanted.accountId
}

/** `profile_crn` ends in the id; a name needs its account (IBM Cloud IAM, "Assuming a trusted profile"). */
function profileOf({ profileId, profileCrn, profileName, account }: TokenRequest): ProfileName {
  if (profileId) return { iamId: `iam-${profileId}` }
  if (profileCrn) return { iamId: `iam-${parseCrn(profileCrn)?.resource ?? ''}` }
  if (profileName) return { accountId: needed(account, 'account'), name: profileName }
  throw missing('profile_id, profile_crn or profile_name')
}

function unsupported(grantType: string): Fault {
  const ground = Object.hasOwn(withoutGround, grantType) ? withoutGround[grantType] : null
  const supported = ground ?? `this service gives tokens for ${Object.values(grantTypes).join(', ')}`
  return new Fault('invalid', `grant type ${JSON.stringify(grantType.slice(0, 100))} is not supported: ${supported}`, {
    reason: 'BXNIM0109E',
    target: { type: 'field', name: 'grant_type' },
  })
}

function needed(value: string | undefined, name: string): string {
  if (value) return value
  throw missing(name)
}

const missing = (name: string): Fault =>
  new Fault('invalid', `${name} is required`, { reason: 'BXNIM0102E', target: { type: 'field', name } })
