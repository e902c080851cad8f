// Why an image will not come to be: a volume's or a snapshot's.

import { Fault } from '#base/fault.ts'
import type { FaultCode } from '#base/fault.ts'
import { volumePendingMsMax } from '#base/limits.ts'
import { follow } from './follow-keys.ts'
import type { VpcParts } from './parts.ts'
import { blockStorageOf } from './volume.ts'
import type { Volume } from './volume.ts'
import { keyReason } from './volume-state.ts'
import type { StatusReason } from './volume-state.ts'

interface Reasons {
  readonly refused: StatusReason
  readonly timedOut: StatusReason
}

/**
 * `key` when that is its key's affair and has been noted; null when it is worth another try. A refusal stays one, but for
 * those that a key's owner may take back; a disk that does not answer is asked again, though not for ever: pending is a
 * promise.
 */
export async function failureOf(
  parts: VpcParts,
  image: Pick<Volume, 'accountId' | 'keyCrn' | 'waitingSince'>,
  error: unknown,
  reasons: Reasons,
): Promise<StatusReason | 'key' | null> {
  if (error instanceof Fault && !mayPass.has(error.code)) {
    const { accountId, keyCrn } = image
    const [report] = await parts.kms.standings([{ keyCrn, as: blockStorageOf(accountId) }])
    const reason = report ? keyReason(report.standing) : null
    if (report?.standing === 'deleted' && reason) return reason
    if (report && reason) {
      await follow(parts, { accountId, keyCrn }, report.standing)
      return 'key'
    }
    if (!ofKey.has(error.code)) return reasons.refused
  }
  return isOverdue(parts, image) ? reasons.timedOut : null
}

export const isOverdue = (parts: VpcParts, { waitingSince }: Pick<Volume, 'waitingSince'>): boolean =>
  parts.clock.now() - waitingSince >= volumePendingMsMax

const mayPass: ReadonlySet<FaultCode> = new Set(['unavailable', 'over_limit'])
/** What the key manager says of a key and of leave to use it: by the time it is looked up, that may be otherwise. */
const ofKey: ReadonlySet<FaultCode> = new Set(['conflict', 'forbidden', 'gone'])
