// SQL of who uses which key, for those who make it visible: what a tenant is shown of it, a leave has been given for.

import { sql } from 'kysely'
import type { Reads, Tx } from '#store/database.ts'
import { keyCrn } from './key.ts'
import type { Key } from './key.ts'
import { stateNumbers } from './key-state.ts'
import { selectWholeKeys, toKey } from './tables-rows.ts'
import type { BookLine, KeyUse, UsedKey } from './port.ts'
import type { WrappedKeyNote } from './tables-wrapped-key.ts'

export interface Unwrapped {
  readonly keyId: string
  readonly resourceCrn: string
  readonly at: number
  readonly note: WrappedKeyNote
}

export async function setLastUnwrapped(tx: Tx, unwrapped: readonly Unwrapped[]): Promise<void> {
  for (const { keyId, resourceCrn, at } of unwrapped) {
    await tx
      .updateTable('kms_registration')
      .set({ last_unwrapped_at: at })
      .where('key_id', '=', keyId)
      .where('resource_crn', '=', resourceCrn)
      .execute()
  }
}

interface PageOfUses {
  readonly keyId: string
  readonly after: string
  readonly limit: number
}

export async function selectUses(
  reads: Reads,
  { keyId, after, limit }: PageOfUses,
): Promise<readonly Omit<KeyUse, 'isOpen'>[]> {
  return await reads
    .selectFrom('kms_registration')
    .select(['resource_crn as resourceCrn', 'service_name as serviceName', 'account_id as accountId'])
    .select(['key_version_id as keyVersionId', 'created_at as registeredAt', 'last_unwrapped_at as lastUnwrappedAt'])
    .where('key_id', '=', keyId)
    .where('resource_crn', '>', after)
    .orderBy('resource_crn')
    .limit(limit)
    .execute()
}

export async function selectUsesAt(
  reads: Reads,
  { keyId, after, limit, at }: PageOfUses & { readonly at: number },
): Promise<readonly Omit<KeyUse, 'isOpen' | 'lastUnwrappedAt'>[]> {
  return await reads
    .selectFrom('kms_use_history')
    .select(['resource_crn as resourceCrn', 'service_name as serviceName', 'account_id as accountId'])
    .select(['key_version_id as keyVersionId', 'registered_at as registeredAt'])
    .where('key_id', '=', keyId)
    .where('resource_crn', '>', after)
    .where('from_at', '<=', at)
    .where(({ eb, or }) => or([eb('until_at', 'is', null), eb('until_at', '>', at)]))
    .orderBy('resource_crn')
    .limit(limit)
    .execute()
}

/** Registered now; or, where a time is given, at it or up to it: what a change at that moment ended counts too. */
export async function selectUsersOfKey(
  reads: Reads,
  keyId: string,
  at: number | null,
): Promise<readonly { readonly accountId: string; readonly resourceCrn: string }[]> {
  const query = reads
    .selectFrom('kms_use_history')
    .select(['account_id as accountId', 'resource_crn as resourceCrn'])
    .distinct()
    .where('key_id', '=', keyId)
    .orderBy('account_id')
    .orderBy('resource_crn')
  if (at === null) return await query.where('until_at', 'is', null).execute()
  return await query
    .where('from_at', '<=', at)
    .where(({ eb, or }) => or([eb('until_at', 'is', null), eb('until_at', '>=', at)]))
    .execute()
}

const registrations = (reads: Reads) =>
  reads
    .selectFrom('kms_registration as r')
    .innerJoin('kms_key', 'kms_key.id', 'r.key_id')
    .innerJoin('kms_instance as i', 'i.id', 'kms_key.instance_id')

const nameOf = (row: { service_name: string; region: string; instance_id: string; owner_id: string; key_id: string }) =>
  keyCrn(
    {
      id: row.instance_id,
      serviceName: row.service_name === 'hs-crypto' ? 'hs-crypto' : 'kms',
      accountId: row.owner_id,
      region: row.region,
      resourceGroupId: '',
    },
    row.key_id,
  )

/** By key, service and account: of one key, or of one account's resources under the keys of others, or of all such. */
export async function selectUsedKeys(
  reads: Reads,
  wanted: { readonly keyId: string } | { readonly accountId: string | null; readonly exceptOwner: string },
): Promise<readonly UsedKey[]> {
  let query = registrations(reads)
    .select(['r.key_id', 'r.account_id', 'r.service_name as registrant', 'i.service_name', 'i.region'])
    .select(['i.id as instance_id', 'i.account_id as owner_id'])
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.min('r.created_at').as('since')])
    .groupBy(['r.key_id', 'r.account_id', 'r.service_name', 'i.service_name', 'i.region', 'i.id', 'i.account_id'])
    .orderBy('r.key_id')
    .orderBy('r.account_id')
    .orderBy('r.service_name')
  if ('keyId' in wanted) query = query.where('r.key_id', '=', wanted.keyId)
  else {
    query = query
      .where('i.account_id', '!=', wanted.exceptOwner)
      .where(({ eb, ref }) => eb('r.account_id', '!=', ref('i.account_id')))
    if (wanted.accountId !== null) query = query.where('r.account_id', '=', wanted.accountId)
  }
  const rows = await query.execute()
  return rows.map((row) => ({
    keyCrn: nameOf(row),
    ownerAccountId: row.owner_id,
    accountId: row.account_id,
    serviceName: row.registrant,
    resourceCount: Number(row.count),
    since: row.since,
  }))
}

/** Both books side by side: a line of the one without the other has null there. */
export async function selectBooks(
  reads: Reads,
  after: { readonly resourceCrn: string; readonly keyId: string },
  limit: number,
): Promise<readonly (BookLine & { readonly keyId: string })[]> {
  const registered = reads
    .selectFrom('kms_registration')
    .select(['key_id', 'resource_crn', 'service_name', 'account_id'])
    .select([
      sql<string | null>`key_version_id`.as('registered_version'),
      sql<string | null>`null`.as('history_version'),
    ])
  const history = reads
    .selectFrom('kms_use_history')
    .select(['key_id', 'resource_crn', 'service_name', 'account_id'])
    .select([
      sql<string | null>`null`.as('registered_version'),
      sql<string | null>`key_version_id`.as('history_version'),
    ])
    .where('until_at', 'is', null)
  const rows = await reads
    .selectFrom(registered.unionAll(history).as('line'))
    .leftJoin('kms_key', 'kms_key.id', 'line.key_id')
    .leftJoin('kms_instance as i', 'i.id', 'kms_key.instance_id')
    .select(['line.key_id', 'line.resource_crn', 'line.service_name as registrant', 'line.account_id'])
    .select(({ fn }) => [fn.max('line.registered_version').as('registered'), fn.max('line.history_version').as('past')])
    .select(['i.id as instance_id', 'i.account_id as owner_id', 'i.service_name', 'i.region'])
    .where(({ eb, or, and }) =>
      or([
        eb('line.resource_crn', '>', after.resourceCrn),
        and([eb('line.resource_crn', '=', after.resourceCrn), eb('line.key_id', '>', after.keyId)]),
      ]),
    )
    .groupBy(['line.resource_crn', 'line.key_id', 'line.service_name', 'line.account_id'])
    .groupBy(['i.id', 'i.account_id', 'i.service_name', 'i.region'])
    .orderBy('line.resource_crn')
    .orderBy('line.key_id')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    keyId: row.key_id,
    keyCrn:
      row.instance_id === null || row.owner_id === null || row.service_name === null || row.region === null
        ? row.key_id
        : nameOf({
            service_name: row.service_name,
            region: row.region,
            instance_id: row.instance_id,
            owner_id: row.owner_id,
            key_id: row.key_id,
          }),
    ownerAccountId: row.owner_id ?? '',
    resourceCrn: row.resource_crn,
    serviceName: row.registrant,
    accountId: row.account_id,
    registeredVersionId: row.registered,
    historyVersionId: row.past,
  }))
}

/** Active root keys with registrations that expire after the one moment and not after the other. */
export async function selectExpiring(
  reads: Reads,
  between: { readonly after: number; readonly until: number },
  now: number,
): Promise<readonly Key[]> {
  const rows = await selectWholeKeys(reads)
    .where('kms_key.state', '=', stateNumbers.active)
    .where('kms_key.expires_at', '>', between.after)
    .where('kms_key.expires_at', '<=', between.until)
    .where('kms_key.id', 'in', (e) => e.selectFrom('kms_registration').select('key_id'))
    .execute()
  return rows.map((row) => toKey(row, now))
}
