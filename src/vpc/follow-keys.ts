// What the owner of a key decides, every volume under it follows. Woken by the key manager's and IAM's events and by
// the clock; asks each time what is so, for all keys in use, so late, repeated or lost events do no harm. The data
// plane does not wait for this: disks lose their lease on the data key at the source. This is what readers of the API
// see.

import { vpcSweepPage } from '#base/limits.ts'
import type { KeyStanding } from '#kms/port.ts'
import type { VpcParts } from './parts.ts'
import { keysInUse, noteStanding } from './tables-work.ts'
import type { KeyInUse } from './tables-work.ts'
import { blockStorageOf } from './volume.ts'
import type { Volume } from './volume.ts'
import { statusEvent } from './volume-event.ts'
import { keyedPhases, statusOf } from './volume-state.ts'

export async function followKeys(parts: VpcParts): Promise<void> {
  let after: Pick<KeyInUse, 'keyCrn' | 'accountId'> = { keyCrn: '', accountId: '' }
  for (;;) {
    const keys = await keysInUse(parts.database.reads, parts.region, after, vpcSweepPage)
    const last = keys.at(-1)
    if (!last) return
    const requests = keys.map(({ keyCrn, accountId }) => ({ keyCrn, as: blockStorageOf(accountId) }))
    const reports = await parts.kms.standings(requests)
    for (const [i, key] of keys.entries()) {
      const standing = reports[i]?.standing
      if (standing !== undefined && !isNoted(key, standing)) await follow(parts, key, standing)
    }
    if (keys.length < vpcSweepPage) return
    after = last
  }
}

const isNoted = ({ standings }: KeyInUse, standing: KeyStanding): boolean =>
  standings.every((noted) => noted === standing)

/** Only a change of what readers see is an event: not of volumes on their way out, not from usable to expired. */
export async function follow(
  parts: VpcParts,
  key: Pick<KeyInUse, 'accountId' | 'keyCrn'>,
  standing: KeyStanding,
): Promise<void> {
  await parts.database.transaction(async (tx) => {
    const { accountId, keyCrn } = key
    const changes = await noteStanding(tx, { accountId, keyCrn, region: parts.region }, standing, parts.clock.now())
    for (const { before, now } of changes) {
      const served = !isUnusable(before) && !isUnusable(now)
      if (isKeyed(now) && !served) await parts.outbox.append(tx, statusEvent(now))
    }
  })
}

const isUnusable = (volume: Volume): boolean => statusOf(volume) === 'unusable'
const isKeyed = ({ phase }: Volume): boolean => keyedPhases.some((one) => one === phase)
