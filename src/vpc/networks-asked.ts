// Lists of what lies in a VPC may be asked for by id, CRN or name of the VPC, and subnets by their routing table, which is
// the one of their VPC. Source: VPC API, `vpc.id`, `vpc.crn`, `vpc.name`, `routing_table.id` and so on.

import type { Reads } from '#store/database.ts'
import { routingTableCrn } from './network-reply.ts'
import type { Recorded } from './record.ts'
import { recordsOfAccount } from './tables-records.ts'
import type { At } from './tables-pages.ts'

const known = {
  'vpc.id': ({ id }) => id,
  'vpc.crn': ({ crn }) => crn,
  'vpc.name': ({ name }) => name,
  'routing_table.id': ({ facts }) => facts.routingTable.id,
  'routing_table.crn': routingTableCrn,
  'routing_table.name': ({ facts }) => facts.routingTable.name,
} as const satisfies Record<string, (network: Recorded<'vpc'>) => string>

type Filter = keyof typeof known

const isFilter = (name: string): name is Filter => Object.hasOwn(known, name)

/** The ids of the VPCs that a query means, all of its words at once; undefined where it says nothing of VPCs. */
export async function networksAsked(
  reads: Reads,
  at: At,
  query: Readonly<Record<string, unknown>>,
): Promise<readonly string[] | undefined> {
  const asked = Object.keys(query).filter((name) => isFilter(name) && query[name] !== undefined)
  if (asked.length === 0) return undefined
  const networks = await recordsOfAccount(reads, 'vpc', at)
  const isMeant = (network: Recorded<'vpc'>) =>
    asked.every((name) => isFilter(name) && known[name](network) === query[name])
  return networks.filter(isMeant).map(({ id }) => id)
}
