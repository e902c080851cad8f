// SQL of what search and tagging know of VPC resources: every one that readers see, of one account. No grant: who may see
// which is decided on each, by whoever asks (resources/port.ts, `Searchable`).

import type { Reads } from '#store/database.ts'
import { like } from './tables-keyed.ts'
import type { KeyedTable } from './tables-keyed.ts'
import { hiddenPhases } from './volume-state.ts'

export interface Found {
  readonly id: string
  readonly crn: string
  readonly name: string
  readonly resourceGroupId: string
  readonly createdAt: number
  readonly userTags: readonly string[]
  readonly doc: Readonly<Record<string, unknown>>
}

/** All of the account's in the region, or the one named. */
export interface Sought {
  readonly accountId: string
  readonly region: string
  readonly crn: string | null
}

const columns = ['id', 'crn', 'name', 'resource_group_id as resourceGroupId', 'created_at as createdAt'] as const

export async function foundKeyed(reads: Reads, table: KeyedTable, sought: Sought): Promise<readonly Found[]> {
  const { accountId, region, crn } = sought
  const rows = await reads
    .selectFrom(like(table))
    .select([...columns, 'capacity_gb as capacityGb'])
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .where('phase', 'not in', hiddenPhases)
    .$if(crn !== null, (q) => q.where('crn', '=', crn ?? ''))
    .execute()
  const tags = table === 'vpc_image' ? new Map<string, string>() : await tagsIn(reads, table, sought)
  return rows.map(({ capacityGb, ...row }) => ({
    ...row,
    // Written by whoever made the resource, from a list of texts.
    userTags: JSON.parse(tags.get(row.id) ?? '[]') as string[],
    doc: { id: row.id, ...(capacityGb > 0 && { capacity: capacityGb }) },
  }))
}

/** Images have none of their own: all that they have are tagging's. */
async function tagsIn(
  reads: Reads,
  table: Exclude<KeyedTable, 'vpc_image'>,
  { accountId, region, crn }: Sought,
): Promise<ReadonlyMap<string, string>> {
  const rows = await reads
    .selectFrom(like(table))
    .select(['id', 'user_tags'])
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .where('user_tags', '!=', '[]')
    .$if(crn !== null, (q) => q.where('crn', '=', crn ?? ''))
    .execute()
  return new Map(rows.map((row) => [row.id, row.user_tags]))
}

export async function foundGroups(reads: Reads, { accountId, region, crn }: Sought): Promise<readonly Found[]> {
  const rows = await reads
    .selectFrom('vpc_snapshot_group')
    .select(columns)
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .where('phase', '!=', 'requested')
    .$if(crn !== null, (q) => q.where('crn', '=', crn ?? ''))
    .execute()
  return rows.map((row) => ({ ...row, userTags: [], doc: { id: row.id } }))
}
