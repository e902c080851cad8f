// SQL of what the key manager does on its own account: instances, where a key lies before anybody can be asked about it,
// sweeps, registrants taking away what is theirs. No grant is demanded, since no tenant asked for these rows; nothing
// here reaches a tenant's eyes before a grant has been given.

import { isUuid } from '#base/id.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { InstanceSettings } from './access.ts'
import type { Instance, Key, KeyPlace } from './key.ts'
import { stateNumbers } from './key-state.ts'
import type { Registrant } from './resource.ts'
import { parseInstancePolicies } from './tables-instance.ts'
import type { KmsServiceName } from './service-name.ts'
import { selectWholeKeys, toKey } from './tables-rows.ts'
import { clearTally, tallyFewer } from './tables-tally.ts'
import { closeUses } from './tables-use-history.ts'

export async function insertInstance(tx: Tx, instance: Instance, now: number): Promise<void> {
  const { id, serviceName, accountId, region, resourceGroupId } = instance
  await tx
    .insertInto('kms_instance')
    .values({
      id,
      service_name: serviceName,
      account_id: accountId,
      region,
      resource_group_id: resourceGroupId,
      created_at: now,
      policies: '{}',
    })
    .onConflict((c) => c.column('id').doNothing())
    .execute()
}

export async function selectInstanceSettings(reads: Reads, id: string): Promise<InstanceSettings | null> {
  const row = await reads
    .selectFrom('kms_instance')
    .select(['id', 'service_name as serviceName', 'account_id as accountId', 'region'])
    .select(['resource_group_id as resourceGroupId', 'policies'])
    .where('id', '=', id)
    .executeTakeFirst()
  return row ? { ...row, policies: parseInstancePolicies(row.policies) } : null
}

/** What is known of a key before anybody is asked about it. */
export interface PlacedKey {
  readonly id: string
  readonly keyRing: string
  readonly extractable: boolean
  readonly expiresAt: number | null
}

/** An instance, and in it the key that is asked for by its id or an alias, if there is such a key. */
export async function selectPlace(
  reads: Reads,
  instanceId: string,
  idOrAlias: string | null,
): Promise<{
  readonly instance: InstanceSettings
  readonly key: PlacedKey | null
} | null> {
  const name = idOrAlias ?? ''
  const keyId = isUuid(name)
    ? reads.selectFrom('kms_key').select('id').where('id', '=', name).where('instance_id', '=', instanceId)
    : reads
        .selectFrom('kms_alias')
        .select('key_id as id')
        .where('instance_id', '=', instanceId)
        .where('alias', '=', name)
  const row = await reads
    .selectFrom('kms_instance')
    .leftJoin('kms_key', (join) => join.on((e) => e('kms_key.id', '=', keyId)))
    .select(['kms_instance.id', 'kms_instance.service_name', 'kms_instance.account_id'])
    .select(['kms_instance.region', 'kms_instance.resource_group_id'])
    .select(['kms_instance.policies', 'kms_key.id as key_id', 'kms_key.key_ring'])
    .select(['kms_key.extractable', 'kms_key.expires_at'])
    .where('kms_instance.id', '=', instanceId)
    .executeTakeFirst()
  if (!row) return null
  const { key_id: id, key_ring: keyRing, extractable, expires_at: expiresAt } = row
  return {
    instance: {
      id: row.id,
      serviceName: row.service_name,
      accountId: row.account_id,
      region: row.region,
      resourceGroupId: row.resource_group_id,
      policies: parseInstancePolicies(row.policies),
    },
    key: id === null || keyRing === null ? null : { id, keyRing, extractable: extractable === 1, expiresAt },
  }
}

/** Keys of the instance that are not destroyed, up to a few: they stand in the way of its deletion. */
export async function selectLivingKeyIds(tx: Tx, instanceId: string, limit: number): Promise<readonly string[]> {
  const rows = await tx
    .selectFrom('kms_key')
    .select('id')
    .where('instance_id', '=', instanceId)
    .where('state', '!=', stateNumbers.destroyed)
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map((row) => row.id)
}

/** All of them, whatever their state. */
export async function selectKeysOfInstance(tx: Tx, instanceId: string, now: number): Promise<readonly Key[]> {
  const rows = await selectWholeKeys(tx).where('kms_key.instance_id', '=', instanceId).orderBy('kms_key.id').execute()
  return rows.map((row) => toKey(row, now))
}

/** Of an instance whose keys have been purged. */
export async function deleteInstance(tx: Tx, id: string): Promise<void> {
  await tx.deleteFrom('kms_key_ring').where('instance_id', '=', id).execute()
  await tx.deleteFrom('kms_import_token').where('instance_id', '=', id).execute()
  await tx.deleteFrom('kms_instance').where('id', '=', id).execute()
}

/** Purges a key: its rows, those of its sealed material among them. */
export async function deleteKey(tx: Tx, keyId: string, now: number): Promise<void> {
  await closeUses(tx, { keyId }, now)
  const notices = tx.selectFrom('kms_notice').select('id').where('key_id', '=', keyId)
  await tx.deleteFrom('kms_notice_service').where('notice_id', 'in', notices).execute()
  await tx.deleteFrom('kms_notice').where('key_id', '=', keyId).execute()
  await tx.deleteFrom('kms_registration').where('key_id', '=', keyId).execute()
  await clearTally(tx, keyId)
  await tx.deleteFrom('kms_alias').where('key_id', '=', keyId).execute()
  await tx.deleteFrom('kms_quarantine_use').where('key_id', '=', keyId).execute()
  await tx.deleteFrom('kms_key_version').where('key_id', '=', keyId).execute()
  await tx.deleteFrom('kms_key').where('id', '=', keyId).execute()
}

/** Where a key lies that its name places in an account and a region, and perhaps in an instance; null when nowhere. */
export async function selectPlaceOfKey(
  reads: Reads,
  name: {
    readonly serviceName: KmsServiceName
    readonly keyId: string
    readonly accountId: string
    readonly region: string
    readonly instanceId: string | null
  },
): Promise<KeyPlace | null> {
  let query = reads
    .selectFrom('kms_key')
    .innerJoin('kms_instance', 'kms_instance.id', 'kms_key.instance_id')
    .select([
      'kms_instance.id',
      'kms_instance.service_name as serviceName',
      'kms_instance.account_id as accountId',
      'kms_instance.region',
      'kms_instance.resource_group_id as resourceGroupId',
      'kms_key.key_ring as keyRing',
    ])
    .where('kms_key.id', '=', name.keyId)
    .where('kms_instance.service_name', '=', name.serviceName)
    .where('kms_instance.account_id', '=', name.accountId)
    .where('kms_instance.region', '=', name.region)
  if (name.instanceId !== null) query = query.where('kms_instance.id', '=', name.instanceId)
  const row = await query.executeTakeFirst()
  return row ? { ...row } : null
}

/** The key as the sweeps and the leases need it, whoever owns it. */
export async function selectKeyOfAnyone(reads: Reads, keyId: string, now: number): Promise<Key | null> {
  const row = await selectWholeKeys(reads).where('kms_key.id', '=', keyId).executeTakeFirst()
  return row ? toKey(row, now) : null
}

/** Keys that have expired by the clock and whose rows do not say so yet. */
export async function selectExpiredKeys(tx: Tx, now: number, limit: number): Promise<readonly Key[]> {
  const rows = await selectWholeKeys(tx)
    .where('kms_key.state', '=', stateNumbers.active)
    .where('kms_key.expires_at', '<=', now)
    .orderBy('kms_key.id')
    .limit(limit)
    .execute()
  return rows.map((row) => toKey(row, now))
}

export async function setExpired(tx: Tx, keyId: string, now: number): Promise<void> {
  await tx
    .updateTable('kms_key')
    .set({ state: stateNumbers.deactivated, updated_at: now })
    .where('id', '=', keyId)
    .execute()
}

/** Active keys whose rotation policy wants a new version by now. */
export async function selectKeysToRotate(tx: Tx, now: number, limit: number): Promise<readonly Key[]> {
  const rows = await selectWholeKeys(tx)
    .where('kms_key.state', '=', stateNumbers.active)
    .where('kms_key.rotation_due_at', '<=', now)
    .where(({ eb, or }) => or([eb('kms_key.expires_at', 'is', null), eb('kms_key.expires_at', '>', now)]))
    .orderBy('kms_key.rotation_due_at')
    .limit(limit)
    .execute()
  return rows.map((row) => toKey(row, now))
}

export async function setRotatedByPolicy(tx: Tx, keyId: string, now: number, dueAt: number | null): Promise<void> {
  await tx
    .updateTable('kms_key')
    .set({ rotated_at: now, updated_at: now, rotation_due_at: dueAt })
    .where('id', '=', keyId)
    .execute()
}

/** Keys that were deleted at or before the given time. */
export async function selectKeysToPurge(
  tx: Tx,
  deletedUntil: number,
  now: number,
  limit: number,
): Promise<readonly Key[]> {
  const rows = await selectWholeKeys(tx)
    .where('kms_key.state', '=', stateNumbers.destroyed)
    .where('kms_key.deleted_at', '<=', deletedUntil)
    .orderBy('kms_key.deleted_at')
    .limit(limit)
    .execute()
  return rows.map((row) => toKey(row, now))
}

/**
 * Null where the registrant had no such registration: the one who removes it is the one who tells of it. `isStale` where it
 * named a version other than the newest.
 */
export async function deleteOwnRegistration(
  tx: Tx,
  registration: { readonly keyId: string; readonly resourceCrn: string; readonly by: Registrant; readonly now: number },
): Promise<{ readonly isStale: boolean } | null> {
  const { keyId, resourceCrn, by, now } = registration
  const removed = await tx
    .deleteFrom('kms_registration')
    .where('key_id', '=', keyId)
    .where('resource_crn', '=', resourceCrn)
    .where('service_name', '=', by.serviceName)
    .where('account_id', '=', by.accountId)
    .returning('key_version_id')
    .executeTakeFirst()
  if (!removed) return null
  await tallyFewer(tx, { keyId, keyVersionId: removed.key_version_id, by, count: 1 })
  await closeUses(tx, { keyId, resourceCrn }, now)
  const newest = await tx
    .selectFrom('kms_key_version')
    .select('id')
    .where('key_id', '=', keyId)
    .orderBy('ordinal', 'desc')
    .limit(1)
    .executeTakeFirst()
  return { isStale: newest?.id !== removed.key_version_id }
}

/** The version that each of the registrant's registrations names, by resource; without those that are not there. */
export async function selectVersionsOfRegistrations(
  reads: Reads,
  wanted: { readonly keyId: string; readonly resourceCrns: readonly string[]; readonly by: Registrant },
): Promise<ReadonlyMap<string, string>> {
  const rows = await reads
    .selectFrom('kms_registration')
    .select(['resource_crn', 'key_version_id'])
    .where('key_id', '=', wanted.keyId)
    .where('resource_crn', 'in', wanted.resourceCrns)
    .where('service_name', '=', wanted.by.serviceName)
    .where('account_id', '=', wanted.by.accountId)
    .execute()
  return new Map(rows.map((row) => [row.resource_crn, row.key_version_id]))
}

/** A service's own registrations in every account. A page holds `limit` resources, with all the keys of each. */
export async function selectRegistrationsOfService(
  reads: Reads,
  wanted: { readonly serviceName: string; readonly afterResourceCrn: string; readonly limit: number },
): Promise<
  readonly {
    readonly resourceCrn: string
    readonly keyId: string
    readonly instance: Instance
    readonly capacityGb: number | null
  }[]
> {
  const { serviceName, afterResourceCrn, limit } = wanted
  const rows = await reads
    .selectFrom('kms_registration')
    .innerJoin('kms_key', 'kms_key.id', 'kms_registration.key_id')
    .innerJoin('kms_instance', 'kms_instance.id', 'kms_key.instance_id')
    .select(['kms_registration.resource_crn', 'kms_registration.key_id', 'kms_instance.id', 'kms_instance.account_id'])
    .select(['kms_instance.service_name', 'kms_instance.region', 'kms_instance.resource_group_id'])
    .select('kms_registration.capacity_gb')
    .where('kms_registration.service_name', '=', serviceName)
    .where('kms_registration.resource_crn', 'in', (e) =>
      e
        .selectFrom('kms_registration as page')
        .select('page.resource_crn')
        .distinct()
        .where('page.service_name', '=', serviceName)
        .where('page.resource_crn', '>', afterResourceCrn)
        .orderBy('page.resource_crn')
        .limit(limit),
    )
    .orderBy('kms_registration.resource_crn')
    .orderBy('kms_registration.key_id')
    .execute()
  return rows.map((row) => ({
    resourceCrn: row.resource_crn,
    keyId: row.key_id,
    capacityGb: row.capacity_gb,
    instance: {
      id: row.id,
      serviceName: row.service_name,
      accountId: row.account_id,
      region: row.region,
      resourceGroupId: row.resource_group_id,
    },
  }))
}

/** Whether there is an instance whose keys may be sealed by a token only. */
export async function hasInstanceOf(reads: Reads, serviceName: KmsServiceName): Promise<boolean> {
  const row = await reads
    .selectFrom('kms_instance')
    .select('id')
    .where('service_name', '=', serviceName)
    .limit(1)
    .executeTakeFirst()
  return row !== undefined
}
