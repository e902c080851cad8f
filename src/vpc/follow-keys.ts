// What the owner of a key decides, every volume, snapshot and image under it follows. Woken by the key manager's and IAM's events
// and by the clock; asks each time what is so, for all keys in use, so late, repeated or lost events do no harm. The data
// plane does not wait for this: disks lose their lease on the data key at the source. This is what readers of the API
// see.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { VolumeId } from '#base/id.ts'
import { followedAtOnceMax, vpcSweepPage } from '#base/limits.ts'
import type { Event } from '#events/event.ts'
import type { KeyStanding } from '#kms/port.ts'
import type { VpcParts } from './parts.ts'
import { followBetweenKeys } from './reencrypt.ts'
import { shownStatus } from './run-on.ts'
import { imageEvent } from './image-event.ts'
import { snapshotEvent } from './snapshot-event.ts'
import { attachmentsOf } from './tables-attachments.ts'
import { keyedTables, keysInUse, noteStanding } from './tables-keyed.ts'
import type { KeyedTable, KeyInUse, Noted } from './tables-keyed.ts'
import { blockStorageOf } from './volume.ts'
import { statusEvent } from './volume-event.ts'
import { keyedPhases } from './volume-state.ts'

const eventOf = {
  vpc_volume: statusEvent,
  vpc_snapshot: snapshotEvent,
  vpc_image: imageEvent,
} as const satisfies Record<KeyedTable, (noted: Noted) => Event>

export async function followKeys(parts: VpcParts, signal?: AbortSignal): Promise<void> {
  for (const table of keyedTables) await followTable(parts, table, signal)
  await followBetweenKeys(parts)
}

async function followTable(parts: VpcParts, table: KeyedTable, signal?: AbortSignal): Promise<void> {
  let after: Pick<KeyInUse, 'keyCrn' | 'accountId'> = { keyCrn: '', accountId: '' }
  for (;;) {
    const keys = await keysInUse(parts.database.reads, table, parts.region, after, vpcSweepPage)
    const last = keys.at(-1)
    if (!last) return
    const requests = keys.map(({ keyCrn, accountId }) => ({ keyCrn, as: blockStorageOf(accountId) }))
    signal?.throwIfAborted()
    const reports = await parts.kms.standings(requests)
    for (const [i, key] of keys.entries()) {
      const standing = reports[i]?.standing
      if (standing !== undefined && !isNoted(key, standing)) await follow(parts, key, standing, signal)
    }
    if (keys.length < vpcSweepPage) return
    after = last
  }
}

const isNoted = ({ standings }: KeyInUse, standing: KeyStanding): boolean =>
  standings.every((noted) => noted === standing)

/**
 * Some of it at a time, each time in a transaction of its own, and requests of others are served in between: an account
 * may have thousands under one key. A pass that stops between two is woken again and goes on.
 */
export async function follow(
  parts: VpcParts,
  key: Pick<KeyInUse, 'accountId' | 'keyCrn'>,
  standing: KeyStanding,
  signal?: AbortSignal,
): Promise<void> {
  let now = standing
  while ((await followSome(parts, key, now)) === followedAtOnceMax) {
    await nextTurn()
    signal?.throwIfAborted()
    // It may be another by now, and this is not to be the last to say otherwise.
    const [report] = await parts.kms.standings([{ keyCrn: key.keyCrn, as: blockStorageOf(key.accountId) }])
    now = report?.standing ?? now
  }
}

/** How many it was. Only a change of what readers see is an event: not of what is on its way out, not from usable to expired. */
const followSome = (
  { database, outbox, clock, region, revocation }: VpcParts,
  { accountId, keyCrn }: Pick<KeyInUse, 'accountId' | 'keyCrn'>,
  standing: KeyStanding,
): Promise<number> =>
  database.transaction(async (tx) => {
    const under = { accountId, keyCrn, region }
    let left = followedAtOnceMax
    for (const table of keyedTables) {
      if (left === 0) break
      const changes = await noteStanding(tx, table, under, standing, { now: clock.now(), limit: left })
      // A snapshot is attached to nothing.
      const volumes = table === 'vpc_volume' ? changes.map(({ now }) => ({ id: now.id as VolumeId })) : []
      const attachments = await attachmentsOf(tx, volumes)
      for (const { before, now } of changes) {
        const isUnusable = (noted: Noted): boolean =>
          shownStatus({ revocation }, noted, attachments.get(noted.id as VolumeId)) === 'unusable'
        if (isKeyed(now) && (isUnusable(before) || isUnusable(now))) await outbox.append(tx, eventOf[table](now))
      }
      left -= changes.length
    }
    return followedAtOnceMax - left
  })

const isKeyed = ({ phase }: Noted): boolean => keyedPhases.some((one) => one === phase)
