// What block storage tells those who make the use of keys visible: port.ts, `VpcPort`.

import type { Reads } from '#store/database.ts'
import type { VpcParts } from './parts.ts'
import type { VpcPort } from './port.ts'
import { nameOurs } from './registrations.ts'
import { existingCrns, keyedTables } from './tables-keyed.ts'
import { factsAt, keyedByCrn, keysOf, provableResources } from './tables-ledger.ts'

export const makeFacts = ({
  reads,
  region,
  revocation,
}: {
  readonly reads: Reads
} & Pick<VpcParts, 'region' | 'revocation'>): VpcPort => ({
  async facts(resourceCrns, at) {
    if (at !== null) return await factsAt(reads, resourceCrns, at)
    const found = await keyedByCrn(reads, resourceCrns, revocation)
    return found.map((one) => ({
      resourceCrn: one.resourceCrn,
      sizeGb: one.sizeGb,
      status: one.statusOf(one),
      isAttached: one.isAttached,
    }))
  },
  async statusUnder(resources) {
    const standings = new Map(resources.map(({ resourceCrn, standing }) => [resourceCrn, standing]))
    const found = await keyedByCrn(reads, [...standings.keys()], revocation)
    return found.map((one) => ({
      resourceCrn: one.resourceCrn,
      status: one.statusOf({ phase: one.phase, keyStanding: standings.get(one.resourceCrn) ?? one.keyStanding }),
    }))
  },
  keys: (of) => keysOf(reads, of),
  async absent(resourceCrns) {
    const found = await Promise.all(
      keyedTables.map(async (table) => {
        const ours = nameOurs(resourceCrns, table, region)
        const existing = await existingCrns(reads, table, ours)
        return ours.filter((crn) => !existing.has(crn))
      }),
    )
    return found.flat()
  },
  resources: (afterId, limit) => provableResources(reads, { region, afterId, limit }),
})
