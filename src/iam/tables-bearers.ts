// The SQL behind every request: who a key or a profile lets somebody be, as far as all of it may still act. By primary
// keys, or one index, only. No Grant: these rows decide who the caller is.

import type { Reads } from '#store/database.ts'

/** Who logs in with an API key, as far as key, identity and account may all log in. */
export interface Login {
  readonly apiKeyId: string
  readonly accountId: string
  readonly iamId: string
  readonly kind: 'user' | 'serviceId' | 'profile'
  readonly name: string
  readonly email: string
  /** JSON, as the table holds it. */
  readonly uniqueInstanceCrns: string | null
  readonly settings: string
  readonly allowedIpAddresses: string
}

const logins = (query: Reads, now: number) =>
  query
    .selectFrom('iam_api_key as k')
    .innerJoin('iam_identity as i', 'i.iam_id', 'k.iam_id')
    .innerJoin('iam_account as a', 'a.id', 'k.account_id')
    .select(['k.id as apiKeyId', 'k.account_id as accountId', 'k.iam_id as iamId', 'i.kind', 'i.name', 'i.email'])
    .select(['i.unique_instance_crns as uniqueInstanceCrns', 'a.settings'])
    .select(['a.allowed_ip_addresses as allowedIpAddresses'])
    .where('k.disabled', '=', 0)
    .where('i.state', '=', 'active')
    .where('a.state', '=', 'active')
    .where((e) => e.or([e('k.expires_at_ms', 'is', null), e('k.expires_at_ms', '>', now)]))

export async function loginByHash(query: Reads, hash: string, now: number): Promise<Login | null> {
  return (await logins(query, now).where('k.hash', '=', hash).executeTakeFirst()) ?? null
}

export async function loginByApiKey(query: Reads, apiKeyId: string, now: number): Promise<Login | null> {
  return (await logins(query, now).where('k.id', '=', apiKeyId).executeTakeFirst()) ?? null
}

/** A service id that has shown who it is without an API key, as far as it and its account may act. */
export async function loginByIamId(query: Reads, iamId: string): Promise<Omit<Login, 'apiKeyId'> | null> {
  const row = query
    .selectFrom('iam_identity as i')
    .innerJoin('iam_account as a', 'a.id', 'i.account_id')
    .select(['i.account_id as accountId', 'i.iam_id as iamId', 'i.kind', 'i.name', 'i.email'])
    .select(['i.unique_instance_crns as uniqueInstanceCrns', 'a.settings'])
    .select(['a.allowed_ip_addresses as allowedIpAddresses'])
    .where('i.iam_id', '=', iamId)
    .where('i.kind', '=', 'serviceId')
    .where('i.state', '=', 'active')
    .where('a.state', '=', 'active')
  return (await row.executeTakeFirst()) ?? null
}

/** A profile that lets the identity in, as far as both profile and account may act. */
export interface Assumable {
  readonly iamId: string
  readonly accountId: string
  readonly name: string
  readonly email: string
  readonly type: 'user' | 'serviceid' | 'crn'
  /** JSON array of the accounts from which it may be assumed, or null. */
  readonly accounts: string | null
  readonly settings: string
  readonly allowedIpAddresses: string
}

const assumables = (query: Reads, byIamId: string) =>
  query
    .selectFrom('iam_identity as i')
    .innerJoin('iam_account as a', 'a.id', 'i.account_id')
    .innerJoin('iam_profile_identity as p', 'p.profile_iam_id', 'i.iam_id')
    .select(['i.iam_id as iamId', 'i.account_id as accountId', 'i.name', 'i.email', 'p.type', 'p.accounts'])
    .select(['a.settings', 'a.allowed_ip_addresses as allowedIpAddresses'])
    .where('i.kind', '=', 'profile')
    .where('i.state', '=', 'active')
    .where('a.state', '=', 'active')
    .where('p.iam_id', '=', byIamId)

export async function assumableById(query: Reads, byIamId: string, profileIamId: string): Promise<Assumable | null> {
  return (await assumables(query, byIamId).where('i.iam_id', '=', profileIamId).executeTakeFirst()) ?? null
}

export async function assumableByName(
  query: Reads,
  byIamId: string,
  profile: { readonly accountId: string; readonly name: string },
): Promise<Assumable | null> {
  const found = assumables(query, byIamId)
    .where('i.account_id', '=', profile.accountId)
    .where('i.name', '=', profile.name)
  return (await found.executeTakeFirst()) ?? null
}

export interface ActiveAccount {
  readonly settings: string
  readonly allowedIpAddresses: string
}

export async function activeAccount(query: Reads, accountId: string): Promise<ActiveAccount | null> {
  const row = query
    .selectFrom('iam_account')
    .select(['settings', 'allowed_ip_addresses as allowedIpAddresses'])
    .where('id', '=', accountId)
    .where('state', '=', 'active')
  return (await row.executeTakeFirst()) ?? null
}
