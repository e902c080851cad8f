// Which key signs and which verify, by the times of their rows: pure. A key is published before it signs, so that nobody
// meets a token of a key they could not know; it verifies until the last token that it signed has ended.

import { accessTokenMs, clockSkewMs, signingKeyRotationMs } from '#base/limits.ts'

export interface Dated {
  readonly signs_from: number
}

/** `rows` have the newest first. The oldest signs where no time has come yet: a clock that was set back. */
export const signerOf = <Row extends Dated>(rows: readonly Row[], now: number): Row | undefined =>
  rows.find((row) => row.signs_from <= now) ?? rows.at(-1)

/** All that may still be met: from the newest to the first whose successor has long taken over. */
export function verifyingOf<Row extends Dated>(rows: readonly Row[], now: number): readonly Row[] {
  const longSince = rows.findIndex((row) => row.signs_from + accessTokenMs + 2 * clockSkewMs < now)
  return longSince < 0 ? rows : rows.slice(0, longSince + 1)
}

/** Whether another key is due. One that waits for its time is enough. */
export const isRotationDue = (rows: readonly Dated[], now: number): boolean =>
  rows.every((row) => row.signs_from + signingKeyRotationMs <= now)
