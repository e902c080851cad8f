// SQL of the history of registrations. Whoever writes or removes registrations writes their history here, in the same
// transaction; nothing else may.

import type { Tx } from '#store/database.ts'

/** Of registrations as they have just been written. Only what a reader of the ledger could see makes a new row. */
export async function writeUses(
  tx: Tx,
  written: { readonly keyId: string; readonly resourceCrns: readonly string[] },
  now: number,
): Promise<void> {
  const { keyId, resourceCrns } = written
  if (resourceCrns.length === 0) return
  await tx
    .updateTable('kms_use_history')
    .set({ until_at: now })
    .where('key_id', '=', keyId)
    .where('resource_crn', 'in', resourceCrns)
    .where('until_at', 'is', null)
    .where(({ exists, not, selectFrom }) =>
      not(
        exists(
          selectFrom('kms_registration as r')
            .select('r.key_id')
            .whereRef('r.key_id', '=', 'kms_use_history.key_id')
            .whereRef('r.resource_crn', '=', 'kms_use_history.resource_crn')
            .whereRef('r.key_version_id', '=', 'kms_use_history.key_version_id'),
        ),
      ),
    )
    .execute()
  await tx
    .insertInto('kms_use_history')
    .columns([
      ...(['key_id', 'resource_crn', 'service_name', 'account_id', 'key_version_id'] as const),
      ...(['registered_at', 'from_at', 'until_at'] as const),
    ])
    .expression(({ selectFrom, val }) =>
      selectFrom('kms_registration as r')
        .select(['r.key_id', 'r.resource_crn', 'r.service_name', 'r.account_id', 'r.key_version_id'])
        .select(['r.created_at', val(now).as('from_at'), val<number | null>(null).as('until_at')])
        .where('r.key_id', '=', keyId)
        .where('r.resource_crn', 'in', resourceCrns)
        .where(({ exists, not, selectFrom: from }) =>
          not(
            exists(
              from('kms_use_history as h')
                .select('h.seq')
                .whereRef('h.key_id', '=', 'r.key_id')
                .whereRef('h.resource_crn', '=', 'r.resource_crn')
                .where('h.until_at', 'is', null),
            ),
          ),
        ),
    )
    .execute()
}

/** Of one resource, or of all that the key protects. */
export async function closeUses(
  tx: Tx,
  use: { readonly keyId: string; readonly resourceCrn?: string },
  now: number,
): Promise<void> {
  let query = tx
    .updateTable('kms_use_history')
    .set({ until_at: now })
    .where('key_id', '=', use.keyId)
    .where('until_at', 'is', null)
  if (use.resourceCrn !== undefined) query = query.where('resource_crn', '=', use.resourceCrn)
  await query.execute()
}
