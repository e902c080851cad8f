// How far the resources of a key have come with its newest version: read from the tally of the registrations, which name the
// version that each data key is wrapped with. Keyward's own; Key Protect shows its owners no such thing.

import type { Clock } from '#base/clock.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Tx } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { keyNotFound, requireRootKey } from './key.ts'
import type { Key, KeyVersion } from './key.ts'
import { readKey } from './keys.ts'
import { countStale } from './tables-tally.ts'
import { selectTalliedVersions } from './tables-version.ts'
import type { TalliedVersion } from './tables-version.ts'

export interface RotationReport {
  readonly key: Key
  readonly newest: KeyVersion
  /** Newest first. */
  readonly versions: readonly TalliedVersion[]
  readonly registrations: number
  readonly remaining: number
  /** How fast resources have followed so far, and when the last will have; null while nothing can be said. */
  readonly pace: { readonly perSecond: number; readonly endsAt: number } | null
}

export type RotationProgress = ReturnType<typeof makeRotationProgress>

export function makeRotationProgress(parts: {
  readonly database: Database
  readonly clock: Clock
  readonly access: Access
}) {
  const { database, clock, access } = parts

  async function report(asked: Asked, id: string): Promise<RotationReport> {
    const grant = await access.key(asked, 'kms.registrations.listforkey', id)
    const now = clock.now()
    const key = await readKey(database.reads, grant, now)
    requireRootKey(key)
    const versions = await selectTalliedVersions(database.reads, grant)
    const [newest] = versions
    // Purged since it was read.
    if (!newest) throw keyNotFound(key.id)
    const registrations = versions.reduce((sum, version) => sum + version.registrations, 0)
    const remaining = registrations - newest.registrations
    return { key, newest, versions, registrations, remaining, pace: paceOf(newest, remaining, now) }
  }

  return { report }
}

/** In the transaction that took a registration off an old version: says so when it was the last one. */
export async function announceConvergence(
  tx: Tx,
  outbox: Outbox,
  key: Key,
  facts: { readonly accountId: string; readonly initiatorId: string; readonly keyCrn: string },
): Promise<void> {
  const keyVersionId = key.newestVersion.id
  if ((await countStale(tx, { id: key.id, newestVersionId: keyVersionId }, null)) > 0) return
  const { accountId, initiatorId, keyCrn } = facts
  await outbox.append(tx, { type: 'kms.key.rotation-converged', accountId, initiatorId, keyCrn, keyVersionId })
}

/** From the first who followed to now; those still to come are taken to be as quick. */
function paceOf({ createdAt, followed }: TalliedVersion, remaining: number, now: number): RotationReport['pace'] {
  const elapsedMs = now - createdAt
  if (remaining === 0 || followed === 0 || elapsedMs <= 0) return null
  const perSecond = followed / (elapsedMs / 1000)
  return { perSecond, endsAt: now + (remaining / perSecond) * 1000 }
}
