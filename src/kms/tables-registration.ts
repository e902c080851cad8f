// SQL of registrations: which resource is protected by which key. Rows belong to the key's account; a grant there admits
// to them, and each registrant may take its own away.

import { sql } from 'kysely'
import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import { instanceIdOf, keyIdOf } from './tables-rows.ts'
import { isOwn } from './resource.ts'
import type { Registrant } from './resource.ts'
import type { Page } from './tables-key-list.ts'
import { clearTally, selectTallyOf, tallyFewer, tallyMore } from './tables-tally.ts'
import type { Tallied } from './tables-tally.ts'
import { closeUses, writeUses } from './tables-use-history.ts'

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

export interface OwnRegistration extends Registrant, RegistrationNotes {
  /** As the service has said; null where it has not. */
  readonly capacityGb: number | null
}

/** The registration of a resource on the grant's key, or null. */
export async function selectRegistration(
  reads: Reads,
  grant: Grant,
  resourceCrn: string,
): Promise<OwnRegistration | null> {
  return (await selectRegistrationsByCrn(reads, grant, [resourceCrn])).get(resourceCrn) ?? null
}

/** As above, of several resources; without those that are not registered. */
export async function selectRegistrationsByCrn(
  reads: Reads,
  grant: Grant,
  resourceCrns: readonly string[],
): Promise<ReadonlyMap<string, OwnRegistration>> {
  const rows = await reads
    .selectFrom('kms_registration')
    .selectAll()
    .where('key_id', '=', keyIdOf(grant))
    .where('resource_crn', 'in', resourceCrns)
    .execute()
  return new Map(
    rows.map((row) => [
      row.resource_crn,
      {
        serviceName: row.service_name,
        accountId: row.account_id,
        keyVersionId: row.key_version_id,
        description: row.description,
        preventKeyDeletion: row.prevent_key_deletion === 1,
        metadata: row.metadata,
        capacityGb: row.capacity_gb,
      },
    ]),
  )
}

/** Brings registrations of one registrant, as they were read in this transaction, to one version. */
export async function moveRegistrations(
  tx: Tx,
  grant: RegisterGrant,
  before: ReadonlyMap<string, OwnRegistration>,
  { keyVersionId, by, now }: { readonly keyVersionId: string; readonly by: Registrant; readonly now: number },
): Promise<void> {
  const keyId = keyIdOf(grant)
  await tx
    .updateTable('kms_registration')
    .set({ key_version_id: keyVersionId, updated_at: now })
    .where('key_id', '=', keyId)
    .where('resource_crn', 'in', [...before.keys()])
    .execute()
  await writeUses(tx, { keyId, resourceCrns: [...before.keys()] }, now)
  const byVersion = Map.groupBy(before.values(), (registration) => registration.keyVersionId)
  for (const [versionId, { length: count }] of byVersion) {
    await tallyFewer(tx, { keyId, keyVersionId: versionId, by, count })
  }
  await tallyMore(tx, { keyId, keyVersionId, by, count: before.size, followed: true })
}

export type RegisterGrant = Grant<
  'kms.registrations.create' | 'kms.registrations.write' | 'kms.registrations.merge' | 'kms.secrets.rewrap'
>

/**
 * Makes the registration, or changes an existing one of the same resource and registrant, which is then `before`; what is
 * not said stays, or begins empty.
 */
export async function upsertRegistration(
  tx: Tx,
  grant: RegisterGrant,
  before: OwnRegistration | null,
  registration: Pick<RegistrationNotes, 'keyVersionId'> &
    Partial<RegistrationNotes> & {
      readonly resourceCrn: string
      readonly capacityGb?: number | null
      readonly by: Registrant
      readonly now: number
    },
): Promise<void> {
  const { resourceCrn, keyVersionId, description, preventKeyDeletion, metadata, capacityGb, by, now } = registration
  assert(!before || isOwn(before, by), 'a registration stays with its registrant')
  const change = {
    key_version_id: keyVersionId,
    updated_at: now,
    ...(description !== undefined && { description }),
    ...(preventKeyDeletion !== undefined && { prevent_key_deletion: Number(preventKeyDeletion) }),
    ...(metadata !== undefined && { metadata }),
    ...(capacityGb !== undefined && { capacity_gb: capacityGb }),
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
    last_unwrapped_at: null,
    capacity_gb: null,
    ...change,
  }
  await tx
    .insertInto('kms_registration')
    .values(row)
    .onConflict((c) => c.columns(['key_id', 'resource_crn']).doUpdateSet(change))
    .execute()
  await writeUses(tx, { keyId: keyIdOf(grant), resourceCrns: [resourceCrn] }, now)
  if (before?.keyVersionId === keyVersionId) return
  const keyId = keyIdOf(grant)
  if (before) await tallyFewer(tx, { keyId, keyVersionId: before.keyVersionId, by, count: 1 })
  await tallyMore(tx, { keyId, keyVersionId, by, count: 1, followed: before !== null })
}

/** The first resources of a registrant that name a version other than the newest. */
export async function selectStale(
  reads: Reads,
  key: { readonly id: string; readonly newestVersionId: string },
  registrant: Registrant,
  limit: number,
): Promise<readonly string[]> {
  const stale = (await selectTallyOf(reads, key.id)).filter(
    (tallied) => tallied.keyVersionId !== key.newestVersionId && isOwn(tallied, registrant),
  )
  return await selectFirstOf(reads, key.id, stale, limit)
}

/** In the order of their CRNs. */
async function selectFirstOf(
  reads: Reads,
  keyId: string,
  tallies: readonly Tallied[],
  limit: number,
): Promise<readonly string[]> {
  const crns: string[] = []
  for (const { keyVersionId, serviceName, accountId } of tallies) {
    const rows = await reads
      .selectFrom('kms_registration')
      .select('resource_crn')
      .where('key_id', '=', keyId)
      .where('key_version_id', '=', keyVersionId)
      .where('service_name', '=', serviceName)
      .where('account_id', '=', accountId)
      .orderBy('resource_crn')
      .limit(limit)
      .execute()
    crns.push(...rows.map((row) => row.resource_crn))
  }
  return crns.sort().slice(0, limit)
}

/** The services with registrations on the key, each with the first of its resources. */
export async function selectRegistrants(
  tx: Tx,
  keyId: string,
  resourcesMax: number,
): Promise<readonly (Registrant & { readonly resources: readonly string[]; readonly resourceCount: number })[]> {
  const tally = await selectTallyOf(tx, keyId)
  const registrants = Map.groupBy(tally, ({ serviceName, accountId }) => `${serviceName}/${accountId}`)
  return await Promise.all(
    [...registrants.values()]
      .flatMap(([first, ...others]) => (first ? [[first, ...others] as const] : []))
      .map(async (own) => ({
        serviceName: own[0].serviceName,
        accountId: own[0].accountId,
        resources: await selectFirstOf(tx, keyId, own, resourcesMax),
        resourceCount: own.reduce((sum, { registrations }) => sum + registrations, 0),
      })),
  )
}

/** What stands in the way of a deletion, before anybody decides to force it: resources, and resources under retention. */
export async function countProtected(
  reads: Reads,
  keyId: string,
): Promise<{ readonly all: number; readonly retained: number }> {
  const row = await reads
    .selectFrom('kms_registration')
    .select(({ fn }) => [fn.countAll<number>().as('all'), fn.sum<number | null>('prevent_key_deletion').as('retained')])
    .where('key_id', '=', keyId)
    .executeTakeFirstOrThrow()
  return { all: Number(row.all), retained: Number(row.retained ?? 0) }
}

/** For a forced deletion: the resources that were registered, and whose they are. */
export async function deleteRegistrations(
  tx: Tx,
  grant: Grant<'kms.secrets.delete'>,
  now: number,
): Promise<readonly { readonly resourceCrn: string; readonly accountId: string }[]> {
  await closeUses(tx, { keyId: keyIdOf(grant) }, now)
  const rows = await tx
    .deleteFrom('kms_registration')
    .where('key_id', '=', keyIdOf(grant))
    .returning(['resource_crn as resourceCrn', 'account_id as accountId'])
    .execute()
  await clearTally(tx, keyIdOf(grant))
  return rows.toSorted((a, b) => (a.resourceCrn < b.resourceCrn ? -1 : 1))
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
