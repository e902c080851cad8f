// Ceilings of the list of revocations.

/** What fits a page that somebody reads. */
export const revocationsDefault = 50
/** Each is a row of some 300 bytes on the wire. */
export const revocationsMax = 500
