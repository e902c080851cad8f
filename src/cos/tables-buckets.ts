// SQL of buckets. A bucket is looked up by its name before it is known who may: the name is what everybody says.

import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { BucketRow } from './bucket.ts'

export async function selectBucket(reads: Reads, name: string): Promise<BucketRow | null> {
  return (await reads.selectFrom('cos_bucket').selectAll().where('name', '=', name).executeTakeFirst()) ?? null
}

export async function selectBuckets(reads: Reads, grant: Grant): Promise<readonly BucketRow[]> {
  return await bucketsOf(reads, grant.target.serviceInstance ?? '')
}

/** For the sweep, and for quotas. */
export async function bucketsOf(reads: Reads, instanceId: string): Promise<readonly BucketRow[]> {
  return await reads
    .selectFrom('cos_bucket')
    .selectAll()
    .where('instance_id', '=', instanceId)
    .orderBy('name')
    .execute()
}

/** Of all accounts, for the sweep. */
export async function selectInstanceIds(reads: Reads): Promise<readonly string[]> {
  const rows = await reads.selectFrom('cos_bucket').select('instance_id').distinct().execute()
  return rows.map((row) => row.instance_id)
}

/** False when there is one of that name. */
export async function insertBucket(
  tx: Tx,
  _grant: Grant<'cloud-object-storage.bucket.put_bucket'>,
  row: BucketRow,
): Promise<boolean> {
  const insert = tx
    .insertInto('cos_bucket')
    .values(row)
    .onConflict((c) => c.column('name').doNothing())
  return ((await insert.executeTakeFirst()).numInsertedOrUpdatedRows ?? 0n) > 0n
}

export async function deleteBucket(tx: Tx, name: string): Promise<boolean> {
  return (await tx.deleteFrom('cos_bucket').where('name', '=', name).executeTakeFirst()).numDeletedRows > 0n
}
