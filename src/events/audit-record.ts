// One record of the audit trail, in the form of IBM Cloud Activity Tracker events. No key material, no secret, no payload.

export type AuditData = Readonly<Record<string, unknown>>

export interface AuditBody {
  readonly eventTime: string
  readonly action: string
  readonly outcome: 'success' | 'failure'
  readonly severity: 'normal' | 'warning' | 'critical'
  readonly reason: { readonly reasonCode: number; readonly reasonForFailure?: string }
  readonly initiator: {
    /** The IAM id; empty where nobody was recognised. */
    readonly id: string
    readonly name: string
    readonly typeURI: string
    readonly host?: { readonly address: string; readonly agent?: string }
  }
  readonly target: { readonly id: string; readonly typeURI: string }
  readonly correlationId: string
  /** The id of the record of the same call in the trail of the other account, where two are concerned. */
  readonly counterpartId?: string
  readonly requestData: AuditData
  readonly responseData: AuditData
}

export interface AuditRow {
  readonly id: string
  /** Whose trail it stands in. */
  readonly accountId: string
  readonly at: number
  readonly body: AuditBody
}
