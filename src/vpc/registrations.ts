// Sweeps registrations that have no volume. There should be none; a process that stopped between the key manager's
// answer and its own next line may leave one, and it would keep the owner of the key from deleting it.

import { parseCrn } from '#base/crn.ts'
import { vpcSweepPage } from '#base/limits.ts'
import type { VpcParts } from './parts.ts'
import { zonesOf } from './regions.ts'
import { existingCrns } from './tables-work.ts'
import { blockStorageOf } from './volume.ts'

/**
 * Registrations are read first and rows after. A row is older than its registration and younger than its end, so a
 * registration that has no row at the later moment has lost it for good; the other way round, a volume that was made
 * between the two reads would look like an orphan.
 */
export async function sweepRegistrations(parts: VpcParts): Promise<void> {
  let after = ''
  for (;;) {
    const page = await parts.kms.registrationsOf('server-protect', after, vpcSweepPage)
    const ours = page.flatMap(({ keyCrn, resourceCrn }) => {
      const accountId = accountOfVolume(resourceCrn, parts.region)
      return accountId === null ? [] : [{ keyCrn, resourceCrn, accountId }]
    })
    const existing = await existingCrns(
      parts.database.reads,
      ours.map(({ resourceCrn }) => resourceCrn),
    )
    for (const { keyCrn, resourceCrn, accountId } of ours) {
      if (existing.has(resourceCrn)) continue
      parts.log.info({ keyCrn, resourceCrn }, 'a registration without a volume is removed')
      await parts.kms.unregister({ keyCrn, resourceCrn, as: blockStorageOf(accountId) })
    }
    const last = page.at(-1)
    if (!last || page.length < vpcSweepPage) return
    after = last.resourceCrn
  }
}

/** The account of a volume of this region, or null for whatever else block storage has registered. */
function accountOfVolume(resourceCrn: string, region: string): string | null {
  const crn = parseCrn(resourceCrn)
  if (crn?.serviceName !== 'is' || crn.resourceType !== 'volume') return null
  return zonesOf(region).includes(crn.location) ? crn.accountId : null
}
