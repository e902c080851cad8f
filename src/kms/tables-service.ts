// SQL of what the key manager does on its own account: instances, where a key lies before anybody can be asked about it,
// sweeps, registrants taking away what is theirs. No grant is demanded, since no tenant asked for these rows; nothing
// here reaches a tenant's eyes before a grant has been given.

import type { ServiceSubject } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { Instance, Key } from './key.ts'
import { stateNumbers } from './key-state.ts'
import { selectWholeKeys, toKey } from './tables-rows.ts'

export async function insertInstance(tx: Tx, instance: Instance, now: number): Promise<void> {
  const { id, accountId, region, resourceGroupId } = instance
  await tx
    .insertInto('kms_instance')
    .values({ id, account_id: accountId, region, resource_group_id: resourceGroupId, created_at: now })
    .onConflict((c) => c.column('id').doNothing())
    .execute()
}

export async function selectInstance(reads: Reads, id: string): Promise<Instance | null> {
  const row = await reads
    .selectFrom('kms_instance')
    .select(['id', 'account_id as accountId', 'region', 'resource_group_id as resourceGroupId'])
    .where('id', '=', id)
    .executeTakeFirst()
  return row ? { ...row } : null
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

/** Purges an instance whose keys are all destroyed, with those keys and their material. */
export async function deleteInstance(tx: Tx, id: string): Promise<void> {
  const keys = tx.selectFrom('kms_key').select('id').where('instance_id', '=', id)
  await tx.deleteFrom('kms_registration').where('key_id', 'in', keys).execute()
  await tx.deleteFrom('kms_key_version').where('key_id', 'in', keys).execute()
  await tx.deleteFrom('kms_key').where('instance_id', '=', id).execute()
  await tx.deleteFrom('kms_instance').where('id', '=', id).execute()
}

/** Where a key lies that its name places in an account and a region, and perhaps in an instance; null when nowhere. */
export async function selectInstanceOfKey(
  reads: Reads,
  name: {
    readonly keyId: string
    readonly accountId: string
    readonly region: string
    readonly instanceId: string | null
  },
): Promise<Instance | null> {
  let query = reads
    .selectFrom('kms_key')
    .innerJoin('kms_instance', 'kms_instance.id', 'kms_key.instance_id')
    .select([
      'kms_instance.id',
      'kms_instance.account_id as accountId',
      'kms_instance.region',
      'kms_instance.resource_group_id as resourceGroupId',
    ])
    .where('kms_key.id', '=', name.keyId)
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

/** True when the registrant had such a registration: the one who removes it is the one who tells of it. */
export async function deleteOwnRegistration(
  tx: Tx,
  registration: { readonly keyId: string; readonly resourceCrn: string; readonly by: ServiceSubject },
): Promise<boolean> {
  const result = await tx
    .deleteFrom('kms_registration')
    .where('key_id', '=', registration.keyId)
    .where('resource_crn', '=', registration.resourceCrn)
    .where('service_name', '=', registration.by.serviceName)
    .where('account_id', '=', registration.by.accountId)
    .executeTakeFirst()
  return result.numDeletedRows > 0n
}

/** A service's own registrations in every account. A page holds `limit` resources, with all the keys of each. */
export async function selectRegistrationsOfService(
  reads: Reads,
  wanted: { readonly serviceName: string; readonly afterResourceCrn: string; readonly limit: number },
): Promise<readonly { readonly resourceCrn: string; readonly keyId: string; readonly instance: Instance }[]> {
  const { serviceName, afterResourceCrn, limit } = wanted
  const rows = await reads
    .selectFrom('kms_registration')
    .innerJoin('kms_key', 'kms_key.id', 'kms_registration.key_id')
    .innerJoin('kms_instance', 'kms_instance.id', 'kms_key.instance_id')
    .select(['kms_registration.resource_crn', 'kms_registration.key_id', 'kms_instance.id', 'kms_instance.account_id'])
    .select(['kms_instance.region', 'kms_instance.resource_group_id'])
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
    instance: {
      id: row.id,
      accountId: row.account_id,
      region: row.region,
      resourceGroupId: row.resource_group_id,
    },
  }))
}
