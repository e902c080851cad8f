// SQL of registrations: which resource is protected by which key. Rows belong to the key's account; a grant there admits
// to them, and each registrant may take its own away.

import { sql } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import { instanceIdOf, keyIdOf } from './tables-rows.ts'
import type { Registrant } from './resource.ts'
import type { Page } from './tables-key-list.ts'

export interface Registration {
  readonly keyId: string
  readonly keyName: string
  readonly resourceCrn: string
  readonly serviceName: string
  readonly accountId: string
  readonly createdAt: number
  readonly updatedAt: number
  readonly keyVersion: { readonly id: string; readonly createdAt: number }
  readonly description: string
  readonly preventKeyDeletion: boolean
}

export type ListGrant = Grant<'kms.registrations.list' | 'kms.registrations.listforkey'>

export interface RegistrationFilter {
  /** A CRN in which `*` stands for any text, or null for all. */
  readonly resourceCrnPattern: string | null
  readonly preventKeyDeletion: boolean | null
  /** What a service may see: its own. Null for people, who see all. */
  readonly registrant: Registrant | null
}

/** Of the grant's key where the grant names one, else of every key in its instance. */
export async function selectRegistrations(
  reads: Reads,
  grant: ListGrant,
  filter: RegistrationFilter,
  page: Page,
): Promise<readonly Registration[]> {
  const rows = await withNames(registrationsOf(reads, grant, filter))
    .orderBy('kms_registration.resource_crn')
    .orderBy('kms_registration.key_id')
    .limit(page.limit)
    .offset(page.offset)
    .execute()
  return rows.map(toRegistration)
}

/** As the lists show it, for the one who has just written it. */
export async function selectOneRegistration(
  reads: Reads,
  grant: RegisterGrant,
  resourceCrn: string,
): Promise<Registration | null> {
  const row = await withNames(wholeRegistrations(reads))
    .where('kms_registration.key_id', '=', keyIdOf(grant))
    .where('kms_registration.resource_crn', '=', resourceCrn)
    .executeTakeFirst()
  return row ? toRegistration(row) : null
}

const wholeRegistrations = (reads: Reads) =>
  reads.selectFrom('kms_registration').innerJoin('kms_key', 'kms_key.id', 'kms_registration.key_id')

const withNames = (query: ReturnType<typeof wholeRegistrations>) =>
  query
    .innerJoin('kms_key_version as version', (join) =>
      join
        .onRef('version.key_id', '=', 'kms_registration.key_id')
        .onRef('version.id', '=', 'kms_registration.key_version_id'),
    )
    .selectAll('kms_registration')
    .select(['kms_key.name as key_name', 'version.created_at as version_created_at'])

type RegistrationRow = Awaited<ReturnType<ReturnType<typeof withNames>['execute']>>[number]

const toRegistration = (row: RegistrationRow): Registration => ({
  keyId: row.key_id,
  keyName: row.key_name,
  resourceCrn: row.resource_crn,
  serviceName: row.service_name,
  accountId: row.account_id,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
  keyVersion: { id: row.key_version_id, createdAt: row.version_created_at },
  description: row.description,
  preventKeyDeletion: row.prevent_key_deletion === 1,
})

export async function countRegistrations(reads: Reads, grant: ListGrant, filter: RegistrationFilter): Promise<number> {
  const row = await registrationsOf(reads, grant, filter)
    .select((e) => e.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

/** What a registrant says of its resource, beside that it is there. */
export interface RegistrationNotes {
  readonly keyVersionId: string
  readonly description: string
  readonly preventKeyDeletion: boolean
  readonly metadata: string | null
}

export interface OwnRegistration extends Registrant, RegistrationNotes {}

/** The registration of a resource on the grant's key, or null. */
export async function selectRegistration(
  reads: Reads,
  grant: Grant,
  resourceCrn: string,
): Promise<OwnRegistration | null> {
  const row = await reads
    .selectFrom('kms_registration')
    .selectAll()
    .where('key_id', '=', keyIdOf(grant))
    .where('resource_crn', '=', resourceCrn)
    .executeTakeFirst()
  if (!row) return null
  return {
    serviceName: row.service_name,
    accountId: row.account_id,
    keyVersionId: row.key_version_id,
    description: row.description,
    preventKeyDeletion: row.prevent_key_deletion === 1,
    metadata: row.metadata,
  }
}

export type RegisterGrant = Grant<
  'kms.registrations.create' | 'kms.registrations.write' | 'kms.registrations.merge' | 'kms.secrets.rewrap'
>

/** Makes the registration, or changes an existing one of the same resource; what is not said stays, or begins empty. */
export async function upsertRegistration(
  tx: Tx,
  grant: RegisterGrant,
  registration: Pick<RegistrationNotes, 'keyVersionId'> &
    Partial<RegistrationNotes> & { readonly resourceCrn: string; readonly by: Registrant; readonly now: number },
): Promise<void> {
  const { resourceCrn, keyVersionId, description, preventKeyDeletion, metadata, by, now } = registration
  const change = {
    key_version_id: keyVersionId,
    updated_at: now,
    ...(description !== undefined && { description }),
    ...(preventKeyDeletion !== undefined && { prevent_key_deletion: Number(preventKeyDeletion) }),
    ...(metadata !== undefined && { metadata }),
  }
  const row = {
    key_id: keyIdOf(grant),
    resource_crn: resourceCrn,
    service_name: by.serviceName,
    account_id: by.accountId,
    created_at: now,
    description: '',
    prevent_key_deletion: 0,
    metadata: null,
    ...change,
  }
  await tx
    .insertInto('kms_registration')
    .values(row)
    .onConflict((c) => c.columns(['key_id', 'resource_crn']).doUpdateSet(change))
    .execute()
}

/** How many registrations of the key name a version other than the newest; of one registrant, where one is given. */
export async function countStale(
  reads: Reads,
  key: { readonly id: string; readonly newestVersionId: string },
  registrant: Registrant | null,
): Promise<number> {
  const row = await staleOf(reads, key, registrant)
    .select((e) => e.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

export async function selectStale(
  reads: Reads,
  key: { readonly id: string; readonly newestVersionId: string },
  registrant: Registrant,
  limit: number,
): Promise<readonly string[]> {
  const query = staleOf(reads, key, registrant).select('resource_crn').orderBy('resource_crn').limit(limit)
  return (await query.execute()).map((row) => row.resource_crn)
}

function staleOf(
  reads: Reads,
  key: { readonly id: string; readonly newestVersionId: string },
  registrant: Registrant | null,
) {
  const query = reads
    .selectFrom('kms_registration')
    .where('key_id', '=', key.id)
    .where('key_version_id', '!=', key.newestVersionId)
  if (!registrant) return query
  return query.where('service_name', '=', registrant.serviceName).where('account_id', '=', registrant.accountId)
}

/** How many registrations came to the newest version from an older one. */
export async function selectFollowed(
  reads: Reads,
  grant: Grant<'kms.registrations.listforkey'>,
  newest: { readonly id: string; readonly createdAt: number },
): Promise<number> {
  const row = await reads
    .selectFrom('kms_registration')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('key_id', '=', keyIdOf(grant))
    .where('key_version_id', '=', newest.id)
    .where('created_at', '<', newest.createdAt)
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

/** How many registrations of the grant's key name each version. */
export async function countByVersion(
  reads: Reads,
  grant: Grant<'kms.registrations.listforkey'>,
): Promise<ReadonlyMap<string, number>> {
  const rows = await reads
    .selectFrom('kms_registration')
    .select('key_version_id')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('key_id', '=', keyIdOf(grant))
    .groupBy('key_version_id')
    .execute()
  return new Map(rows.map((row) => [row.key_version_id, Number(row.count)]))
}

/** What stands in the way of a deletion, before anybody decides to force it: resources, and resources under retention. */
export async function countProtected(
  tx: Tx,
  grant: Grant<'kms.secrets.delete'>,
): Promise<{ readonly all: number; readonly retained: number }> {
  const row = await tx
    .selectFrom('kms_registration')
    .select(({ fn }) => [fn.countAll<number>().as('all'), fn.sum<number | null>('prevent_key_deletion').as('retained')])
    .where('key_id', '=', keyIdOf(grant))
    .executeTakeFirstOrThrow()
  return { all: Number(row.all), retained: Number(row.retained ?? 0) }
}

/** For a forced deletion: the CRNs of the resources that were registered. */
export async function deleteRegistrations(tx: Tx, grant: Grant<'kms.secrets.delete'>): Promise<readonly string[]> {
  const rows = await tx
    .deleteFrom('kms_registration')
    .where('key_id', '=', keyIdOf(grant))
    .returning('resource_crn')
    .execute()
  return rows.map((row) => row.resource_crn).sort()
}

function registrationsOf(reads: Reads, grant: ListGrant, filter: RegistrationFilter) {
  let query = wholeRegistrations(reads).where('kms_key.instance_id', '=', instanceIdOf(grant))
  // The action says which of the two lists was permitted; a key in the target narrows it in either case.
  assert(
    grant.action === 'kms.registrations.list' || grant.target.resource !== undefined,
    'a grant for the registrations of one key names the key',
  )
  if (grant.target.resource !== undefined) query = query.where('kms_registration.key_id', '=', grant.target.resource)
  if (filter.resourceCrnPattern !== null) {
    const pattern = filter.resourceCrnPattern.replaceAll(/[\\%_]/g, '\\$&').replaceAll('*', '%')
    query = query.where(sql<boolean>`kms_registration.resource_crn like ${pattern} escape '\\'`)
  }
  const { preventKeyDeletion, registrant } = filter
  if (preventKeyDeletion !== null) {
    query = query.where('kms_registration.prevent_key_deletion', '=', Number(preventKeyDeletion))
  }
  if (registrant !== null) {
    query = query
      .where('kms_registration.service_name', '=', registrant.serviceName)
      .where('kms_registration.account_id', '=', registrant.accountId)
  }
  return query
}
