// The SQL of hypothetical questions: who somebody is that a caller asks about.

import type { Reads } from '#store/database.ts'
import type { Caller } from './port.ts'

/** Null when there is nobody of that id. The caller is told of nobody outside its own account. */
export async function readIdentityForQuestion(reads: Reads, iamId: string): Promise<Caller | null> {
  const row = await reads
    .selectFrom('iam_identity')
    .select(['iam_id as iamId', 'account_id as accountId', 'kind', 'name', 'email'])
    .where('iam_id', '=', iamId)
    .executeTakeFirst()
  if (!row) return null
  const { iamId: id, accountId, kind, name, email } = row
  return { iamId: id, accountId, kind, name: kind === 'user' ? email : name }
}
