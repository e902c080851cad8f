import type { Generated } from 'kysely'

export interface LedgerTables {
  /** Each time that all books were compared; the newest are kept. */
  ledger_proof: { id: Generated<number>; started_at: number; finished_at: number }
  /** What a proof counted of one account; JSON, ledger/proof.ts, `Counts`. */
  ledger_proof_account: { proof_id: number; account_id: string; counts: string }
  /** Where the books differ, until a later proof finds that they no longer do. */
  ledger_difference: {
    /** What, resource and key in one text: the same difference found again is the same row. */
    id: string
    what: string
    resource_crn: string
    account_id: string
    key_crn: string
    owner_account_id: string
    found_at: number
    resolved_at: number | null
  }
  /** What an account is told about a key that its resources depend on. */
  ledger_notice: {
    /** The order in which an account reads its notices; what a stream is resumed by. */
    seq: Generated<number>
    id: string
    /** Who is told. */
    account_id: string
    /** What it is told for, unique in the account: the same cause, met again, tells nothing again. */
    cause: string
    type: string
    key_crn: string
    owner_account_id: string
    plan_id: string | null
    occurred_at: number
    created_at: number
    /** JSON; ledger/notice.ts, `NoticeFacts`. */
    facts: string
    read_at: number | null
    acknowledged_at: number | null
    acknowledged_by: string | null
  }
  /** By which authorization a service used a foreign key when it was last looked at; null for none. */
  ledger_standing: {
    key_crn: string
    account_id: string
    service_name: string
    owner_account_id: string
    policy_id: string | null
    since: number
  }
  ledger_webhook: {
    id: string
    account_id: string
    url: string
    description: string
    /** JSON array of notice types, or null for all. */
    types: string | null
    enabled: number
    created_at: number
    created_by: string
  }
  /** What deliveries are signed with: the newest, and for a time the one before. */
  ledger_webhook_secret: {
    id: string
    webhook_id: string
    /** Sealed with the master key for `ledger.webhook-secret/<id>`. */
    sealed: Uint8Array
    created_at: number
    /** Null for the newest. */
    retires_at: number | null
  }
  ledger_delivery: {
    id: string
    webhook_id: string
    notice_id: string
    state: 'pending' | 'delivered' | 'dead'
    attempts: number
    next_at: number
    created_at: number
    last_at: number | null
    last_status: number | null
    last_problem: string | null
  }
  /** What the owner of a key has announced. */
  ledger_plan: {
    id: string
    owner_account_id: string
    key_crn: string
    key_id: string
    action: 'disable' | 'delete' | 'rotate'
    reason: string
    planned_at: number
    state: 'announced' | 'done' | 'withdrawn'
    created_at: number
    created_by: string
    ended_at: number | null
  }
  /** What an account has last said of a plan. */
  ledger_plan_answer: {
    plan_id: string
    account_id: string
    answer: 'acknowledged' | 'objected'
    reason: string | null
    answered_at: number
    answered_by: string
  }
}
