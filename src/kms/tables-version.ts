// SQL of key versions, each about the key that its grant names.

import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { KeyVersion, SealedVersion } from './key.ts'
import { instanceIdOf, keyIdOf } from './tables-rows.ts'
import type { Page } from './tables-key.ts'

export async function insertFirstVersion(
  tx: Tx,
  _grant: Grant<'kms.secrets.create'>,
  version: SealedVersion,
): Promise<void> {
  await tx.insertInto('kms_key_version').values(versionRow(version)).execute()
}

/** Key Protect, "Rotating keys": older versions still unwrap, so a version is added and none replaced. */
export async function insertVersion(
  tx: Tx,
  grant: Grant<'kms.secrets.rotate'>,
  version: Omit<SealedVersion, 'ordinal'>,
): Promise<void> {
  assert(version.keyId === keyIdOf(grant), 'a version is added to the key that the grant names')
  const newest = await tx
    .selectFrom('kms_key_version')
    .select((e) => e.fn.max('ordinal').as('ordinal'))
    .where('key_id', '=', version.keyId)
    .executeTakeFirstOrThrow()
  await tx
    .insertInto('kms_key_version')
    .values(versionRow({ ...version, ordinal: Number(newest.ordinal) + 1 }))
    .execute()
}

/** A version of the grant's key with its sealed material, or null. */
export async function selectVersion(reads: Reads, grant: Grant, versionId: string): Promise<SealedVersion | null> {
  const row = await reads
    .selectFrom('kms_key_version')
    .innerJoin('kms_key', 'kms_key.id', 'kms_key_version.key_id')
    .selectAll('kms_key_version')
    .where('kms_key.instance_id', '=', instanceIdOf(grant))
    .where('kms_key_version.key_id', '=', keyIdOf(grant))
    .where('kms_key_version.id', '=', versionId)
    .executeTakeFirst()
  if (!row) return null
  const { key_id: keyId, id, ordinal, created_at: createdAt, sealed_material: sealedMaterial } = row
  return { keyId, id, ordinal, createdAt, sealedMaterial }
}

/** Newest first, as the samples of the API have them. */
export async function selectVersions(
  reads: Reads,
  grant: Grant<'kms.secrets.listkeyversions'>,
  page: Page,
): Promise<readonly KeyVersion[]> {
  const rows = await reads
    .selectFrom('kms_key_version')
    .select(['id', 'created_at as createdAt'])
    .where('key_id', '=', keyIdOf(grant))
    .orderBy('ordinal', 'desc')
    .limit(page.limit)
    .offset(page.offset)
    .execute()
  return rows
}

export async function countVersions(reads: Reads, grant: Grant<'kms.secrets.listkeyversions'>): Promise<number> {
  const row = await reads
    .selectFrom('kms_key_version')
    .select((e) => e.fn.countAll<number>().as('count'))
    .where('key_id', '=', keyIdOf(grant))
    .executeTakeFirstOrThrow()
  return Number(row.count)
}

const versionRow = (version: SealedVersion) => ({
  key_id: version.keyId,
  id: version.id,
  ordinal: version.ordinal,
  created_at: version.createdAt,
  sealed_material: version.sealedMaterial,
})
