// What the ledger is made of: everything from outside, handed in once.

import type { Clock } from '#base/clock.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { ImagesPort } from '#disk/port.ts'
import type { Outbox } from '#events/outbox.ts'
import type { AuthorizationsPort, IamPort } from '#iam/port.ts'
import type { KeyLedgerPort } from '#kms/port.ts'
import type { Database } from '#store/database.ts'
import type { VpcPort } from '#vpc/port.ts'

/** What the audit log proves to whoever has been given leave to the record in question. */
export interface AuditProofs {
  /** Writes the records that wait. */
  flush(): Promise<void>
  prove(
    accountId: string,
    recordId: string,
  ): Promise<{ readonly entry: string; readonly proof: string; readonly verifier: string }>
  /** A statement about a key of the account, as a signed note. */
  signStatement(accountId: string, text: string): string
}

export interface LedgerParts {
  readonly database: Database
  readonly outbox: Outbox
  /** Of keys: by it notices are dated and plans come due. It may be a virtual one. */
  readonly clock: Clock
  /** For what waits on the world outside: never virtual. */
  readonly realClock: Clock
  readonly random: Random
  readonly log: Log
  readonly sealer: Sealer
  readonly iam: IamPort
  readonly authorizations: AuthorizationsPort
  readonly kms: KeyLedgerPort
  readonly vpc: VpcPort
  readonly disk: ImagesPort
  readonly auditLog: AuditProofs
  /** Days before the end of an authorization at which both sides are told. */
  readonly authorizationNoticeDays: readonly number[]
  /** Whether webhooks may point inside, and speak plain HTTP: in a laboratory. */
  readonly allowPrivateWebhooks: boolean
}
