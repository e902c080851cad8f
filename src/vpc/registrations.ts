// Sweeps registrations that have no volume, snapshot or image. There should be none; a process that stopped between the
// key manager's answer and its own next line may leave one, and it would keep the owner of the key from deleting it.

import { parseCrn } from '#base/crn.ts'
import type { Crn } from '#base/crn.ts'
import { vpcSweepPage } from '#base/limits.ts'
import type { VpcParts } from './parts.ts'
import { zonesOf } from './regions.ts'
import { existingCrns, keyedTables } from './tables-keyed.ts'
import type { KeyedTable } from './tables-keyed.ts'
import { blockStorageOf } from './volume.ts'
import type { Sizes } from './volume-size.ts'

/**
 * Registrations are read first and rows after. A row is older than its registration and younger than its end, so a
 * registration that has no row at the later moment has lost it for good; the other way round, a volume that was made
 * between the two reads would look like an orphan.
 */
export async function sweepRegistrations(parts: VpcParts, sizes: Sizes, signal?: AbortSignal): Promise<void> {
  let after = ''
  for (;;) {
    signal?.throwIfAborted()
    const page = await parts.kms.registrationsOf('server-protect', after, vpcSweepPage)
    for (const table of keyedTables) await sweepPage(parts, table, page)
    await sizes.compare(
      page.filter(({ resourceCrn }) => nameOurs([resourceCrn], 'vpc_volume', parts.region).length > 0),
    )
    const last = page.at(-1)
    if (!last || page.length < vpcSweepPage) return sizes.end()
    after = last.resourceCrn
  }
}

async function sweepPage(
  parts: VpcParts,
  table: KeyedTable,
  page: Awaited<ReturnType<VpcParts['kms']['registrationsOf']>>,
): Promise<void> {
  const ours = page.flatMap(({ keyCrn, resourceCrn }) => {
    const accountId = ownerOf[table](parseCrn(resourceCrn), parts.region)
    return accountId === null ? [] : [{ keyCrn, resourceCrn, accountId }]
  })
  const existing = await existingCrns(
    parts.database.reads,
    table,
    ours.map(({ resourceCrn }) => resourceCrn),
  )
  for (const { keyCrn, resourceCrn, accountId } of ours) {
    if (existing.has(resourceCrn)) continue
    parts.log.info({ keyCrn, resourceCrn }, 'a registration without its resource is removed')
    await parts.kms.unregister({ keyCrn, resourceCrn, as: blockStorageOf(accountId) })
  }
}

/** The account of a volume, snapshot or image of this region, or null for whatever else block storage has registered. */
const ownerOf = {
  vpc_volume: (crn: Crn | null, region: string) =>
    crn?.serviceName === 'is' && crn.resourceType === 'volume' && zonesOf(region).includes(crn.location)
      ? crn.accountId
      : null,
  vpc_image: (crn: Crn | null, region: string) =>
    crn?.serviceName === 'is' && crn.resourceType === 'image' && crn.location === region ? crn.accountId : null,
  vpc_snapshot: (crn: Crn | null, region: string) =>
    crn?.serviceName === 'is' && crn.resourceType === 'snapshot' && crn.location === region ? crn.accountId : null,
} as const satisfies Record<KeyedTable, (crn: Crn | null, region: string) => string | null>

/** Those of the names that only a volume, snapshot or image of this region could have, by the table that would hold them. */
export const nameOurs = (resourceCrns: readonly string[], table: KeyedTable, region: string): readonly string[] =>
  resourceCrns.filter((crn) => ownerOf[table](parseCrn(crn), region) !== null)
