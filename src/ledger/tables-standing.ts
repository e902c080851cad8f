// SQL of by which authorization each service used each foreign key when it was last looked at.

import type { Reads, Tx } from '#store/database.ts'

export interface Standing {
  readonly keyCrn: string
  readonly accountId: string
  readonly serviceName: string
  readonly ownerAccountId: string
  readonly policyId: string | null
}

export async function selectStandings(reads: Reads): Promise<readonly Standing[]> {
  return await reads
    .selectFrom('ledger_standing')
    .select(['key_crn as keyCrn', 'account_id as accountId', 'service_name as serviceName'])
    .select(['owner_account_id as ownerAccountId', 'policy_id as policyId'])
    .execute()
}

export async function writeStanding(tx: Tx, standing: Standing, now: number): Promise<void> {
  const { keyCrn, accountId, serviceName, ownerAccountId, policyId } = standing
  const row = {
    key_crn: keyCrn,
    account_id: accountId,
    service_name: serviceName,
    owner_account_id: ownerAccountId,
    policy_id: policyId,
    since: now,
  }
  await tx
    .insertInto('ledger_standing')
    .values(row)
    .onConflict((c) =>
      c.columns(['key_crn', 'account_id', 'service_name']).doUpdateSet({ policy_id: policyId, since: now }),
    )
    .execute()
}

export async function deleteStanding(tx: Tx, { keyCrn, accountId, serviceName }: Standing): Promise<void> {
  await tx
    .deleteFrom('ledger_standing')
    .where('key_crn', '=', keyCrn)
    .where('account_id', '=', accountId)
    .where('service_name', '=', serviceName)
    .execute()
}
