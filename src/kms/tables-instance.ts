// SQL of what an instance has as a whole: its policies and its import token.

import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { SealedRows } from '#store/sealed-rows.ts'
import type { InstancePolicies } from './policy.ts'
import { instanceIdOf } from './tables-rows.ts'

/** Written by `setInstancePolicies`: the shape is known. */
export const parseInstancePolicies = (json: string): InstancePolicies => JSON.parse(json) as InstancePolicies

/** Null when the instance has gone meanwhile. */
export async function selectInstancePolicies(
  reads: Reads,
  grant: Grant<'kms.instancepolicies.write'>,
): Promise<InstancePolicies | null> {
  return await selectPolicies(reads, grant)
}

/** For a change of a key that the policies of its instance may forbid, inside its transaction. */
export const selectPoliciesFor = async (
  reads: Reads,
  grant: Grant<'kms.secrets.rotate' | 'kms.secrets.restore'>,
): Promise<InstancePolicies> => (await selectPolicies(reads, grant)) ?? {}

async function selectPolicies(reads: Reads, grant: Grant): Promise<InstancePolicies | null> {
  const row = await reads
    .selectFrom('kms_instance')
    .select('policies')
    .where('id', '=', instanceIdOf(grant))
    .executeTakeFirst()
  return row ? parseInstancePolicies(row.policies) : null
}

export async function setInstancePolicies(
  tx: Tx,
  grant: Grant<'kms.instancepolicies.write'>,
  policies: InstancePolicies,
): Promise<void> {
  await tx
    .updateTable('kms_instance')
    .set({ policies: JSON.stringify(policies) })
    .where('id', '=', instanceIdOf(grant))
    .execute()
}

/** As above, for the operator, whom no grant is given. */
export async function liftPolicies(tx: Tx, instanceId: string, policies: InstancePolicies): Promise<void> {
  await tx
    .updateTable('kms_instance')
    .set({ policies: JSON.stringify(policies) })
    .where('id', '=', instanceId)
    .execute()
}

/** Names the row that a token is sealed for, so that it opens in no other. */
export const importTokenPurpose = (instanceId: string, id: string): string => `kms.import-token/${instanceId}/${id}`

export interface ImportTokenRow {
  readonly id: string
  readonly publicKey: string
  readonly sealed: Uint8Array
  readonly createdAt: number
  readonly expiresAt: number
  readonly retrievalsMax: number
  readonly retrievalsLeft: number
}

/** One to an instance: a new one replaces what is there. */
export async function putImportToken(
  tx: Tx,
  grant: Grant<'kms.importtoken.create'>,
  token: ImportTokenRow,
): Promise<void> {
  const row = {
    id: token.id,
    public_key: token.publicKey,
    sealed: token.sealed,
    created_at: token.createdAt,
    expires_at: token.expiresAt,
    retrievals_max: token.retrievalsMax,
    retrievals_left: token.retrievalsLeft,
  }
  await tx
    .insertInto('kms_import_token')
    .values({ instance_id: instanceIdOf(grant), ...row })
    .onConflict((c) => c.column('instance_id').doUpdateSet(row))
    .execute()
}

/** For handing it out, and for opening what was made with it: the latter by leave to make or rotate keys. */
export async function selectImportToken(reads: Reads, grant: Grant): Promise<ImportTokenRow | null> {
  const row = await reads
    .selectFrom('kms_import_token')
    .selectAll()
    .where('instance_id', '=', instanceIdOf(grant))
    .executeTakeFirst()
  if (!row) return null
  return {
    id: row.id,
    publicKey: row.public_key,
    sealed: row.sealed,
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    retrievalsMax: row.retrievals_max,
    retrievalsLeft: row.retrievals_left,
  }
}

export async function setRetrievalsLeft(tx: Tx, grant: Grant<'kms.importtoken.read'>, left: number): Promise<void> {
  await tx
    .updateTable('kms_import_token')
    .set({ retrievals_left: left })
    .where('instance_id', '=', instanceIdOf(grant))
    .execute()
}

/** Every import token of everybody, sealed, for a new master key. */
export const importTokenRows: SealedRows = {
  name: 'kms_import_token.sealed',
  async page(reads, afterKey, limit) {
    const rows = await reads
      .selectFrom('kms_import_token')
      .select(['instance_id', 'id', 'sealed'])
      .where('instance_id', '>', afterKey)
      .orderBy('instance_id')
      .limit(limit)
      .execute()
    return rows.map(({ instance_id: key, id, sealed }) => ({ key, purpose: importTokenPurpose(key, id), sealed }))
  },
  async replace(tx, { key, sealed }, resealed) {
    await tx
      .updateTable('kms_import_token')
      .set({ sealed: resealed })
      .where('instance_id', '=', key)
      .where('sealed', '=', sealed)
      .execute()
  },
}
