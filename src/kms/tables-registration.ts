// SQL of registrations: which resource is protected by which key. Rows belong to the key's account; a grant there admits
// to them, and each registrant may take its own away.

import { sql } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Grant, ServiceSubject } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import { instanceIdOf, keyIdOf } from './tables-rows.ts'
import type { Page } from './tables-key.ts'

export interface Registration {
  readonly keyId: string
  readonly keyName: string
  readonly resourceCrn: string
  readonly serviceName: string
  readonly accountId: string
  readonly createdAt: number
  readonly updatedAt: number
  readonly keyVersion: { readonly id: string; readonly createdAt: number }
}

export type ListGrant = Grant<'kms.registrations.list' | 'kms.registrations.listforkey'>

export interface RegistrationFilter {
  /** A CRN in which `*` stands for any text, or null for all. */
  readonly resourceCrnPattern: string | null
}

/** Of the grant's key where the grant names one, else of every key in its instance. */
export async function selectRegistrations(
  reads: Reads,
  grant: ListGrant,
  filter: RegistrationFilter,
  page: Page,
): Promise<readonly Registration[]> {
  const rows = await registrationsOf(reads, grant, filter)
    .innerJoin('kms_key_version as version', (join) =>
      join
        .onRef('version.key_id', '=', 'kms_registration.key_id')
        .onRef('version.id', '=', 'kms_registration.key_version_id'),
    )
    .selectAll('kms_registration')
    .select(['kms_key.name as key_name', 'version.created_at as version_created_at'])
    .orderBy('kms_registration.resource_crn')
    .orderBy('kms_registration.key_id')
    .limit(page.limit)
    .offset(page.offset)
    .execute()
  return rows.map((row) => ({
    keyId: row.key_id,
    keyName: row.key_name,
    resourceCrn: row.resource_crn,
    serviceName: row.service_name,
    accountId: row.account_id,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    keyVersion: { id: row.key_version_id, createdAt: row.version_created_at },
  }))
}

export async function countRegistrations(reads: Reads, grant: ListGrant, filter: RegistrationFilter): Promise<number> {
  const row = await registrationsOf(reads, grant, filter)
    .select((e) => e.fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

/** The registration of a resource on the grant's key, or null. */
export async function selectRegistration(
  reads: Reads,
  grant: Grant,
  resourceCrn: string,
): Promise<{ readonly serviceName: string; readonly accountId: string; readonly keyVersionId: string } | null> {
  const row = await reads
    .selectFrom('kms_registration')
    .select(['service_name as serviceName', 'account_id as accountId', 'key_version_id as keyVersionId'])
    .where('key_id', '=', keyIdOf(grant))
    .where('resource_crn', '=', resourceCrn)
    .executeTakeFirst()
  return row ?? null
}

/** Makes the registration, or moves an existing one of the same resource to the version given. */
export async function upsertRegistration(
  tx: Tx,
  grant: Grant<'kms.registrations.create'>,
  registration: {
    readonly resourceCrn: string
    readonly keyVersionId: string
    readonly by: ServiceSubject
    readonly now: number
  },
): Promise<void> {
  const { resourceCrn, keyVersionId, by, now } = registration
  const row = {
    key_id: keyIdOf(grant),
    resource_crn: resourceCrn,
    key_version_id: keyVersionId,
    service_name: by.serviceName,
    account_id: by.accountId,
    created_at: now,
    updated_at: now,
  }
  await tx
    .insertInto('kms_registration')
    .values(row)
    .onConflict((c) =>
      c.columns(['key_id', 'resource_crn']).doUpdateSet({ key_version_id: keyVersionId, updated_at: now }),
    )
    .execute()
}

/** For a deletion: how many there are, before anybody decides to force it. */
export async function hasRegistrations(tx: Tx, grant: Grant<'kms.secrets.delete'>): Promise<boolean> {
  const row = await tx
    .selectFrom('kms_registration')
    .select('resource_crn')
    .where('key_id', '=', keyIdOf(grant))
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
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
  let query = reads
    .selectFrom('kms_registration')
    .innerJoin('kms_key', 'kms_key.id', 'kms_registration.key_id')
    .where('kms_key.instance_id', '=', instanceIdOf(grant))
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
  return query
}
