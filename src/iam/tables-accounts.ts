// The SQL of accounts, identities and API keys. Hashes go in and out; keys never come here.

import type { Insertable, Selectable } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import type { IamTables } from '#store/schema/iam.ts'

export type AccountRow = Selectable<IamTables['iam_account']>
export type IdentityRow = Selectable<IamTables['iam_identity']>
export type ApiKeyRow = Selectable<IamTables['iam_api_key']>

export async function readAccount(query: Reads, id: string): Promise<AccountRow | null> {
  return (await query.selectFrom('iam_account').selectAll().where('id', '=', id).executeTakeFirst()) ?? null
}

export async function insertAccount(tx: Tx, row: Insertable<IamTables['iam_account']>): Promise<void> {
  await tx.insertInto('iam_account').values(row).execute()
}

export async function insertIdentity(tx: Tx, row: Insertable<IamTables['iam_identity']>): Promise<void> {
  await tx.insertInto('iam_identity').values(row).execute()
}

export async function insertApiKey(tx: Tx, row: Insertable<IamTables['iam_api_key']>): Promise<void> {
  await tx.insertInto('iam_api_key').values(row).execute()
}

export async function readApiKeyByHash(query: Reads, hash: string): Promise<ApiKeyRow | null> {
  return (await query.selectFrom('iam_api_key').selectAll().where('hash', '=', hash).executeTakeFirst()) ?? null
}

/** Who logs in with an API key, as far as key, identity and account may all log in. */
export interface Login {
  readonly apiKeyId: string
  readonly accountId: string
  readonly iamId: string
  readonly kind: 'user' | 'serviceId'
  readonly name: string
  readonly email: string
}

const logins = (query: Reads) =>
  query
    .selectFrom('iam_api_key as k')
    .innerJoin('iam_identity as i', 'i.iam_id', 'k.iam_id')
    .innerJoin('iam_account as a', 'a.id', 'k.account_id')
    .select(['k.id as apiKeyId', 'k.account_id as accountId', 'k.iam_id as iamId', 'i.kind', 'i.name', 'i.email'])
    .where('k.disabled', '=', 0)
    .where('i.state', '=', 'active')
    .where('a.state', '=', 'active')

export async function loginByHash(query: Reads, hash: string): Promise<Login | null> {
  return (await logins(query).where('k.hash', '=', hash).executeTakeFirst()) ?? null
}

/** For each request: by primary keys only. */
export async function loginByApiKey(query: Reads, apiKeyId: string): Promise<Login | null> {
  return (await logins(query).where('k.id', '=', apiKeyId).executeTakeFirst()) ?? null
}
