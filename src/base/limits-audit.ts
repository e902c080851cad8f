// Ceilings of the audit trail and its signed log.

/** Audit records that have not been written yet wait no longer than this: what a kill may cost. */
export const auditFlushMs = 100
/** A full batch is written at once: one transaction of some milliseconds. */
export const auditBatchMax = 500
/** Records that may wait in memory; past it a request waits for the disk, and strangers' failures are only counted. */
export const auditWaitingMax = 10_000
/** Records come into the signed log this often: a second is what somebody with the database could still change unseen. */
export const auditLogMs = 1000
/** Of one transaction of the log: others wait for it, some 20 ms. */
export const auditLogBatchMax = 500
/** Old records deleted in one transaction: some milliseconds. */
export const auditPrunedPerTransaction = 1000
/** A century; what is longer is for ever, which is 0. */
export const auditRetentionDaysMax = 36_500
export const auditPageDefault = 100
export const auditPageMax = 1000
