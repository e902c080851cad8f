// Volumes, snapshots, consistency groups and custom images, as Global Search finds them and Global Tagging tags them. Of VPC's
// other resources only those are known that carry a tag.

import type { Searchable, SearchableResource } from '#resources/port.ts'
import type { Reads } from '#store/database.ts'
import { foundGroups, foundKeyed } from './tables-search.ts'
import type { Found, Sought } from './tables-search.ts'
import { targetOf } from './targets.ts'
import type { Kind } from './targets.ts'

type Read = (reads: Reads, sought: Sought) => Promise<readonly Found[]>

const kinds: ReadonlyMap<Kind, Read> = new Map<Kind, Read>([
  ['volume', (reads, sought) => foundKeyed(reads, 'vpc_volume', sought)],
  ['snapshot', (reads, sought) => foundKeyed(reads, 'vpc_snapshot', sought)],
  ['image', (reads, sought) => foundKeyed(reads, 'vpc_image', sought)],
  ['snapshot-consistency-group', foundGroups],
])

export const makeSearchable = ({ reads, region }: { readonly reads: Reads; readonly region: string }): Searchable => ({
  covers: ({ serviceName, resourceType }) =>
    serviceName === 'is' && Array.from(kinds.keys(), String).includes(resourceType),
  async resources(accountId, crn) {
    const lists = await Promise.all(
      Array.from(kinds, async ([kind, read]) => {
        const found = await read(reads, { accountId, region, crn })
        return found.map((one) => resourceOf(kind, { ...one, accountId, region }))
      }),
    )
    return lists.flat()
  },
})

/** Global Search, "family": of VPC it is `is`. */
const resourceOf = (
  kind: Kind,
  found: Found & { readonly accountId: string; readonly region: string },
): SearchableResource => ({
  crn: found.crn,
  name: found.name,
  family: 'is',
  type: kind,
  serviceName: 'is',
  region: found.region,
  resourceGroupId: found.resourceGroupId,
  createdAt: found.createdAt,
  isReclaimed: false,
  ownTags: found.userTags,
  target: targetOf(kind, found),
  doc: found.doc,
})
