// What happens to a key is followed and then acknowledged: the owner of the key reads in the events that this service has
// stopped, gone on, or re-wrapped. A rotation is acknowledged when no volume of the account uses an older version.

import { Fault } from '#base/fault.ts'
import { vpcSweepPage } from '#base/limits.ts'
import { followKeys } from './follow-keys.ts'
import { followRotation } from './follow-rotation.ts'
import type { VpcParts } from './parts.ts'
import { blockStorageOf } from './volume.ts'

export async function followNotices(parts: VpcParts, signal?: AbortSignal): Promise<void> {
  // Read before anything is done about them: what comes later waits for the next pass.
  const pending = await parts.kms.pendingNotices('server-protect', vpcSweepPage)
  await followRotation(parts, signal)
  if (pending.length === 0) return
  await followKeys(parts, signal)
  for (const { noticeId, accountId, keyState } of pending) {
    try {
      await parts.kms.acknowledge({ noticeId, as: blockStorageOf(accountId), keyState })
    } catch (error) {
      // Its key was purged, or another pass was quicker.
      if (!(error instanceof Fault)) throw error
      parts.log.warn({ err: error, noticeId }, 'an acknowledgement was refused')
    }
  }
}
