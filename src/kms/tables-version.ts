// SQL of key versions, each about the key that its grant names.

import { assert } from '#base/assert.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { SealedRows } from '#store/sealed-rows.ts'
import { versionPurpose } from './key.ts'
import type { KeyVersion, SealedVersion } from './key.ts'
import { instanceIdOf, keyIdOf } from './tables-rows.ts'
import type { CreateGrant } from './tables-key.ts'
import type { Page } from './tables-key-list.ts'

export async function insertFirstVersion(tx: Tx, _grant: CreateGrant, version: SealedVersion): Promise<void> {
  await tx.insertInto('kms_key_version').values(versionRow(version)).execute()
}

/** Key Protect, "Rotating keys": older versions still unwrap, so a version is added and none replaced. */
export async function insertVersion(
  tx: Tx,
  grant: Grant<'kms.secrets.rotate'>,
  version: Omit<SealedVersion, 'ordinal'>,
): Promise<void> {
  assert(version.keyId === keyIdOf(grant), 'a version is added to the key that the grant names')
  await addVersion(tx, version)
}

/** As above, for rotations that a policy asks for: no caller is there who could be granted anything. */
export async function addVersion(tx: Tx, version: Omit<SealedVersion, 'ordinal'>): Promise<void> {
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

/** The place of a version in the order of rotations, or null when the grant's key has no such version. */
export async function selectOrdinal(reads: Reads, grant: Grant, versionId: string): Promise<number | null> {
  const row = await reads
    .selectFrom('kms_key_version')
    .select('ordinal')
    .where('key_id', '=', keyIdOf(grant))
    .where('id', '=', versionId)
    .executeTakeFirst()
  return row?.ordinal ?? null
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

export interface TalliedVersion extends KeyVersion {
  /** Resources that name it now, and those of them that came to it from another. */
  readonly registrations: number
  readonly followed: number
}

/** Newest first, all of them, each with its part of the tally: one statement, so that the figures are of one moment. */
export async function selectTalliedVersions(
  reads: Reads,
  grant: Grant<'kms.registrations.listforkey'>,
): Promise<readonly TalliedVersion[]> {
  const rows = await reads
    .selectFrom('kms_key_version as version')
    .leftJoin('kms_registration_tally as tally', (join) =>
      join.onRef('tally.key_id', '=', 'version.key_id').onRef('tally.key_version_id', '=', 'version.id'),
    )
    .select(['version.id', 'version.created_at as createdAt'])
    .select(({ fn }) => [
      fn.sum<number | null>('tally.registrations').as('registrations'),
      fn.sum<number | null>('tally.followed').as('followed'),
    ])
    .where('version.key_id', '=', keyIdOf(grant))
    .groupBy(['version.id', 'version.created_at', 'version.ordinal'])
    .orderBy('version.ordinal', 'desc')
    .execute()
  return rows.map(({ id, createdAt, registrations, followed }) => ({
    id,
    createdAt,
    registrations: Number(registrations ?? 0),
    followed: Number(followed ?? 0),
  }))
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

/** Rows in the order of key and version: the material of every key of everybody, sealed, for a new master key. */
export const keyVersionRows: SealedRows = {
  name: 'kms_key_version.sealed_material',
  async page(reads, afterKey, limit) {
    const [keyId = '', id = ''] = afterKey.split('/')
    const rows = await reads
      .selectFrom('kms_key_version')
      .select(['key_id', 'id', 'sealed_material'])
      .where((e) => e.or([e('key_id', '>', keyId), e.and([e('key_id', '=', keyId), e('id', '>', id)])]))
      .orderBy('key_id')
      .orderBy('id')
      .limit(limit)
      .execute()
    return rows.map((row) => ({
      key: `${row.key_id}/${row.id}`,
      purpose: versionPurpose({ keyId: row.key_id, id: row.id }),
      sealed: row.sealed_material,
    }))
  },
  async replace(tx, row, resealed) {
    const [keyId = '', id = ''] = row.key.split('/')
    await tx
      .updateTable('kms_key_version')
      .set({ sealed_material: resealed })
      .where('key_id', '=', keyId)
      .where('id', '=', id)
      .where('sealed_material', '=', row.sealed)
      .execute()
  },
}
