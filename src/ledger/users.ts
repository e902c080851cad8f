// Whom a key concerns, and what each is told of it.

import { noticeResourcesMax } from '#base/limits.ts'
import { ownerOf } from './foreign-keys.ts'
import type { NoticeDraft, NoticeFacts } from './notice.ts'
import type { LedgerParts } from './parts.ts'

export interface User {
  readonly accountId: string
  readonly resourceCount: number
  /** The first of them, or none where only the number is known. */
  readonly resourceCrns: readonly string[]
}

/** By registrations at that time, or now; and by volumes, whose registration a forced deletion may have taken. */
export async function usersAt(
  { kms, vpc }: Pick<LedgerParts, 'kms' | 'vpc'>,
  keyCrn: string,
  at: number | null,
): Promise<readonly User[]> {
  const registered = await kms.usersOf(keyCrn, at)
  const known = new Set(registered.map((user) => user.accountId))
  const others = (await vpc.keys({ keyCrn })).filter((user) => !known.has(user.accountId))
  return [
    ...registered.map(({ accountId, resourceCrns }) => ({
      accountId,
      resourceCount: resourceCrns.length,
      resourceCrns,
    })),
    ...others.map(({ accountId, resourceCount }) => ({ accountId, resourceCount, resourceCrns: [] })),
  ]
}

export const draftFor = (
  user: User,
  told: Pick<NoticeDraft, 'type' | 'keyCrn' | 'cause' | 'occurredAt' | 'planId'>,
  facts: Partial<NoticeFacts>,
): NoticeDraft => ({
  ...told,
  accountId: user.accountId,
  ownerAccountId: ownerOf(told.keyCrn),
  facts: { resources: user.resourceCount, resource_crns: user.resourceCrns.slice(0, noticeResourcesMax), ...facts },
})
