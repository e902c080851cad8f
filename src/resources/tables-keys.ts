// SQL of service credentials, scoped by account.

import type { Selectable } from 'kysely'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { ResourceTables } from '#store/schema/resources.ts'
import type { SealedRows } from '#store/sealed-rows.ts'

export type KeyRow = Selectable<ResourceTables['resources_key']>

export const resourceKeyPurpose = (guid: string): string => `resources.key/${guid}`

export async function insertKey(tx: Tx, _grant: Grant, row: KeyRow): Promise<void> {
  await tx.insertInto('resources_key').values(row).execute()
}

export async function selectKey(reads: Reads, accountId: string, guid: string): Promise<KeyRow | null> {
  const row = reads.selectFrom('resources_key').selectAll().where('account_id', '=', accountId).where('guid', '=', guid)
  return (await row.executeTakeFirst()) ?? null
}

export interface KeyFilter {
  readonly guid?: string
  readonly name?: string
  readonly instanceGuid?: string
}

/** In order of creation; GUIDs settle the order of what was made in the same millisecond. */
export interface KeyPlace {
  readonly createdAt: number
  readonly guid: string
}

export async function selectKeys(
  reads: Reads,
  accountId: string,
  page: { readonly filter: KeyFilter; readonly after: KeyPlace | null; readonly limit: number },
): Promise<readonly KeyRow[]> {
  const { filter, after } = page
  let query = reads.selectFrom('resources_key').selectAll().where('account_id', '=', accountId)
  if (filter.guid !== undefined) query = query.where('guid', '=', filter.guid)
  if (filter.name !== undefined) query = query.where('name', '=', filter.name)
  if (filter.instanceGuid !== undefined) query = query.where('instance_guid', '=', filter.instanceGuid)
  if (after !== null) {
    query = query.where((e) =>
      e.or([
        e('created_at', '>', after.createdAt),
        e.and([e('created_at', '=', after.createdAt), e('guid', '>', after.guid)]),
      ]),
    )
  }
  return await query.orderBy('created_at').orderBy('guid').limit(page.limit).execute()
}

export async function updateKey(
  tx: Tx,
  _grant: Grant,
  guid: string,
  set: Pick<KeyRow, 'name' | 'updated_at' | 'updated_by'>,
): Promise<boolean> {
  return (
    (await tx.updateTable('resources_key').set(set).where('guid', '=', guid).executeTakeFirst()).numUpdatedRows > 0n
  )
}

export async function deleteKey(tx: Tx, _grant: Grant, guid: string): Promise<boolean> {
  return (await tx.deleteFrom('resources_key').where('guid', '=', guid).executeTakeFirst()).numDeletedRows > 0n
}

export const resourceKeyRows: SealedRows = {
  name: 'resources_key.sealed_credentials',
  async page(reads, afterKey, limit) {
    const rows = await reads
      .selectFrom('resources_key')
      .select(['guid', 'sealed_credentials'])
      .where('guid', '>', afterKey)
      .orderBy('guid')
      .limit(limit)
      .execute()
    return rows.map(({ guid: key, sealed_credentials: sealed }) => ({ key, purpose: resourceKeyPurpose(key), sealed }))
  },
  async replace(tx, { key, sealed }, resealed) {
    await tx
      .updateTable('resources_key')
      .set({ sealed_credentials: resealed })
      .where('guid', '=', key)
      .where('sealed_credentials', '=', sealed)
      .execute()
  },
}
