// A notice: what an account is told about a key that its resources depend on. Its form on every wire (inbox, stream,
// webhook) is a CloudEvent. Source: CloudEvents 1.0.2, "Context Attributes", and its JSON event format.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import type { noticeType } from './schemas.ts'

export type NoticeType = Static<typeof noticeType>

/** What is told beside the key: of the account's own resources, and of the cause. */
export interface NoticeFacts {
  /** How many of the account's resources depend on the key, and the first of them. */
  readonly resources: number
  readonly resource_crns: readonly string[]
  readonly key_version_id?: string
  readonly expires_at?: string
  readonly days_left?: number
  readonly service?: string
  readonly policy_id?: string
  readonly plan?: {
    readonly id: string
    readonly action: string
    readonly planned_at: string
    readonly reason: string
  }
}

export interface Notice {
  readonly seq: number
  readonly id: string
  readonly accountId: string
  readonly type: NoticeType
  readonly keyCrn: string
  readonly ownerAccountId: string
  readonly planId: string | null
  readonly occurredAt: number
  readonly createdAt: number
  readonly facts: NoticeFacts
  readonly readAt: number | null
  readonly acknowledgedAt: number | null
  readonly acknowledgedBy: string | null
}

/** A notice that is to be made, for one account; the same cause tells an account once. */
export interface NoticeDraft {
  readonly accountId: string
  readonly cause: string
  readonly type: NoticeType
  readonly keyCrn: string
  readonly ownerAccountId: string
  readonly planId?: string
  readonly occurredAt: number
  readonly facts: NoticeFacts
}

export const cloudEvent = (notice: Notice) => ({
  specversion: '1.0' as const,
  id: notice.id,
  source: `/keyward/accounts/${notice.ownerAccountId}`,
  type: `keyward.${notice.type}`,
  subject: notice.keyCrn,
  time: rfc3339(notice.occurredAt),
  datacontenttype: 'application/json' as const,
  data: {
    account_id: notice.accountId,
    owner_account_id: notice.ownerAccountId,
    key_crn: notice.keyCrn,
    ...notice.facts,
    resource_crns: [...notice.facts.resource_crns],
  },
})
