// Revocations: what ends the right to a key, how far the end has come, and in which steps it is counted. Pure; the console
// and the command line read the same words.

/** A right ends by an act on the key, by an act on the authorization, or by an account's being disabled. */
export const revocationCauses = [
  'key.disabled',
  'key.deleted',
  'key.expired',
  'authorization.removed',
  'authorization.expired',
  'account.disabled',
] as const
export type RevocationCause = (typeof revocationCauses)[number]

/**
 * `idle`: nothing was open. `acknowledged`: every holder has signed that it stopped. `lapsed`: some did not, and have ended or
 * lost their leases by time.
 */
export const revocationStates = ['under-way', 'idle', 'acknowledged', 'lapsed'] as const
export type RevocationState = (typeof revocationStates)[number]

/** Upper ends of the histogram: finest where a push ends, and then the moments that mean something: killed, waited for, lapsed. */
export const bucketSeconds = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 1.5, 2, 5, 10] as const
