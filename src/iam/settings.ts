// The settings of an account that concern identities, as data: what may be set, what holds when nothing is, and what the
// few that we act on mean. Source: IBM Cloud IAM identity API, "account settings"; every value is a text there. Stored as
// JSON of what was set and nothing else: docs/formats.md, "Account settings".

import { accessTokenMs, accessTokenMsMin, refreshTokenMs, refreshTokenMsMin } from '#base/limits.ts'

export type Restriction = 'RESTRICTED' | 'NOT_RESTRICTED' | 'NOT_SET'

export interface UserMfa {
  readonly iam_id: string
  readonly mfa: string
}

export interface UserDomains {
  readonly realm_id: string
  readonly invitation_email_allow_patterns?: readonly string[]
  readonly restrict_invitation?: boolean
}

/** By their wire names: they are kept and shown as they were sent. */
export interface Settings {
  readonly restrict_create_service_id: Restriction
  readonly restrict_create_platform_apikey: Restriction
  readonly restrict_user_list_visibility: Restriction
  readonly restrict_user_domains: readonly UserDomains[]
  readonly allowed_ip_addresses: string
  readonly mfa: string
  readonly user_mfa: readonly UserMfa[]
  readonly session_expiration_in_seconds: string
  readonly session_invalidation_in_seconds: string
  readonly max_sessions_per_identity: string
  readonly system_access_token_expiration_in_seconds: string
  readonly system_refresh_token_expiration_in_seconds: string
}

const unset: Settings = {
  restrict_create_service_id: 'NOT_SET',
  restrict_create_platform_apikey: 'NOT_SET',
  restrict_user_list_visibility: 'NOT_RESTRICTED',
  restrict_user_domains: [],
  allowed_ip_addresses: '',
  mfa: 'NONE',
  user_mfa: [],
  session_expiration_in_seconds: 'NOT_SET',
  session_invalidation_in_seconds: 'NOT_SET',
  max_sessions_per_identity: 'NOT_SET',
  system_access_token_expiration_in_seconds: 'NOT_SET',
  system_refresh_token_expiration_in_seconds: 'NOT_SET',
}

/** What holds where a number is not set. Sessions are the console's; we keep none. */
const effectiveNumbers = {
  session_expiration_in_seconds: '86400',
  session_invalidation_in_seconds: '7200',
  system_access_token_expiration_in_seconds: String(accessTokenMs / 1000),
  system_refresh_token_expiration_in_seconds: String(refreshTokenMs / 1000),
} as const

/** From the text of a row, which account-settings.ts wrote. */
export const parseSettings = (text: string): Settings => ({ ...unset, ...(JSON.parse(text) as Partial<Settings>) })

export function effective(settings: Settings): Settings {
  const numbers = Object.entries(effectiveNumbers).map(([name, value]) => {
    const set = settings[name as keyof typeof effectiveNumbers] // its keys are all there are
    return [name, set === 'NOT_SET' ? value : set]
  })
  return { ...settings, ...Object.fromEntries(numbers) }
}

/** The lifetimes that may be set, in seconds: by the name of the setting. */
export const lifetimeBounds = {
  system_access_token_expiration_in_seconds: { min: accessTokenMsMin / 1000, max: accessTokenMs / 1000 },
  system_refresh_token_expiration_in_seconds: { min: refreshTokenMsMin / 1000, max: refreshTokenMs / 1000 },
} as const

export const accessTokenSeconds = (settings: Settings): number =>
  Number(effective(settings).system_access_token_expiration_in_seconds)

export const refreshTokenSeconds = (settings: Settings): number =>
  Number(effective(settings).system_refresh_token_expiration_in_seconds)
