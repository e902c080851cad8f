// Ceilings of the ledger, its notices, webhooks and plans, with unit and reason: limits.ts goes on here.

const KiB = 1024
const second = 1000
const minute = 60 * second
const hour = 60 * minute

/** Uses, foreign keys and notices in one answer. */
export const ledgerPageDefault = 50
export const ledgerPageMax = 1000
/** Lines of one book that a proof reads at a time: between two pages, requests go. */
export const proofPage = 1000
/** How often all books are compared unasked: each time reads them whole. */
export const proofEveryMs = 5 * minute
/** What is on its way looks like a difference; one that is still there after this is one. */
export const proofConfirmMs = 2 * second
/** Proofs that are kept: who asks wants the last, and perhaps how it was before. */
export const proofsKeptMax = 20
/** Differences that one answer names. */
export const differencesShownMax = 100

/** Events that are told of before it is looked for newer ones. */
export const feedPage = 100
/** Days before a key's expiry at which its users are told. */
export const expiryNoticeDays: readonly number[] = [30, 7, 1]
/** A setting: how many such days there may be, and how early the first. */
export const noticeDaysMax = 10
export const noticeDaysAheadMax = 365
/** Plans of one key that have not ended; each asks every user for an answer. */
export const openPlansPerKeyMax = 10
/** Nobody remembers a promise for longer. */
export const planAheadMsMax = 366 * 24 * hour
/** Reasons and descriptions that people write for people. */
export const ledgerTextLengthMax = 500
/** Open streams of notices: of one account, and of all; each is a socket. */
export const streamsPerAccountMax = 10
export const streamsMax = 500
/** Notices that a stream reads at a time: more wait in the database until the client has taken these. */
export const streamPage = 50
/** A stream says at least this often that it lives, and asks whether its token still counts. */
export const streamHeartbeatMs = 5 * second
export const webhooksPerAccountMax = 10
export const webhookUrlLengthMax = 2048
/** Standard Webhooks, "Signature scheme": secrets have 24 to 64 bytes. */
export const webhookSecretBytes = 32
/** How long a replaced secret still signs beside the new one. */
export const webhookSecretOverlapMs = 24 * hour
/** Standard Webhooks, "Deliverability and reliability": attempts after the first, and how long after the one before. */
const webhookRetrySeconds = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
export const webhookRetryMs: readonly number[] = webhookRetrySeconds.map((count) => count * second)
/** Standard Webhooks: a receiver answers within 15 to 30 seconds; whoever needs more takes it in and works afterwards. */
export const webhookTimeoutMs = 15 * second
/** What is read of an answer, of which only the status matters. */
export const webhookAnswerBytesMax = 64 * KiB
/** Deliveries at a time, each to another webhook. */
export const webhookDeliveriesParallelMax = 16
/** Webhooks with something due that are looked up at a time. */
export const webhookDuePage = 1000
/** When data keys were last opened is written this long after the first of them; see kms/unwrap-times.ts. */
export const unwrapTimesMs = 1 * second
