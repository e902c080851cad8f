// SQL of notices: what happened to a key, and which services have followed it. No grant is demanded: a notice is written
// with the change that it tells of, and read by the services that it is for, each its own.

import type { Reads, Tx } from '#store/database.ts'
import type { KmsTables } from '#store/schema/kms.ts'
import type { Registrant } from './resource.ts'

export type NoticeType = KmsTables['kms_notice']['type']

export interface Notice {
  readonly id: string
  readonly keyId: string
  readonly type: NoticeType
  /** The number of the state that the key had afterwards. */
  readonly keyState: number
  readonly oldVersionId: string | null
  readonly newVersionId: string | null
  readonly createdAt: number
}

/** A notice as one service of one account has it to follow. */
export interface OwedNotice extends Notice, Registrant {
  readonly acknowledgedAt: number | null
  readonly resources: readonly string[]
  readonly resourceCount: number
}

export async function insertNotice(
  tx: Tx,
  notice: Notice & { readonly dueAt: number },
  services: readonly (Registrant & Pick<OwedNotice, 'resources' | 'resourceCount'>)[],
): Promise<void> {
  const row = {
    id: notice.id,
    key_id: notice.keyId,
    type: notice.type,
    key_state: notice.keyState,
    old_version_id: notice.oldVersionId,
    new_version_id: notice.newVersionId,
    created_at: notice.createdAt,
    due_at: notice.dueAt,
  }
  await tx.insertInto('kms_notice').values(row).execute()
  for (const { serviceName, accountId, resources, resourceCount } of services) {
    const service = { notice_id: notice.id, service_name: serviceName, account_id: accountId }
    const named = { resources: JSON.stringify(resources), resource_count: resourceCount }
    await tx
      .insertInto('kms_notice_service')
      .values({ ...service, ...named, acknowledged_at: null, overdue_at: null })
      .execute()
  }
}

const owed = (reads: Reads) =>
  reads
    .selectFrom('kms_notice_service as service')
    .innerJoin('kms_notice', 'kms_notice.id', 'service.notice_id')
    .selectAll('kms_notice')
    .select(['service.service_name', 'service.account_id', 'service.acknowledged_at'])
    .select(['service.resources', 'service.resource_count'])

type OwedRow = Awaited<ReturnType<ReturnType<typeof owed>['execute']>>[number]

const toOwed = (row: OwedRow): OwedNotice => ({
  id: row.id,
  keyId: row.key_id,
  type: row.type,
  keyState: row.key_state,
  oldVersionId: row.old_version_id,
  newVersionId: row.new_version_id,
  createdAt: row.created_at,
  serviceName: row.service_name,
  accountId: row.account_id,
  acknowledgedAt: row.acknowledged_at,
  // Written by `insertNotice`: the shape is known.
  resources: JSON.parse(row.resources) as string[],
  resourceCount: row.resource_count,
})

/** What a service has not acknowledged yet, in all accounts, oldest first. */
export async function selectOwed(reads: Reads, serviceName: string, limit: number): Promise<readonly OwedNotice[]> {
  const rows = await owed(reads)
    .where('service.service_name', '=', serviceName)
    .where('service.acknowledged_at', 'is', null)
    .orderBy('kms_notice.created_at')
    .orderBy('kms_notice.id')
    .limit(limit)
    .execute()
  return rows.map(toOwed)
}

/** The notice as it is owed by the service, acknowledged or not; null when it is not one of its own. */
export async function selectNotice(reads: Reads, id: string, by: Registrant): Promise<OwedNotice | null> {
  const row = await owed(reads)
    .where('kms_notice.id', '=', id)
    .where('service.service_name', '=', by.serviceName)
    .where('service.account_id', '=', by.accountId)
    .executeTakeFirst()
  return row ? toOwed(row) : null
}

/** Notices that nobody acknowledged in time and of which that has not been said yet. */
export async function selectOverdue(tx: Tx, now: number, limit: number): Promise<readonly OwedNotice[]> {
  const rows = await owed(tx)
    .where('service.acknowledged_at', 'is', null)
    .where('service.overdue_at', 'is', null)
    .where('kms_notice.due_at', '<=', now)
    .orderBy('kms_notice.due_at')
    .orderBy('kms_notice.id')
    .limit(limit)
    .execute()
  return rows.map(toOwed)
}

export const setAcknowledged = (tx: Tx, notice: OwedNotice, now: number): Promise<void> =>
  change(tx, notice, { acknowledged_at: now })

export const setOverdue = (tx: Tx, notice: OwedNotice, now: number): Promise<void> =>
  change(tx, notice, { overdue_at: now })

async function change(
  tx: Tx,
  notice: OwedNotice,
  set: { readonly acknowledged_at: number } | { readonly overdue_at: number },
): Promise<void> {
  await tx
    .updateTable('kms_notice_service')
    .set(set)
    .where('notice_id', '=', notice.id)
    .where('service_name', '=', notice.serviceName)
    .where('account_id', '=', notice.accountId)
    .execute()
}
