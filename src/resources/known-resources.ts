// Every resource of an account that somebody knows: our own, those of the services that are searchable, and those that
// are only known by their CRN because they carry a tag and no service lists their kind.

import { parseCrn } from '#base/crn.ts'
import type { Crn } from '#base/crn.ts'
import type { Target } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import type { Searchable, SearchableResource } from './port.ts'
import { selectTaggings } from './tables-tags.ts'

export type KnownResources = ReturnType<typeof makeKnownResources>

export function makeKnownResources(parts: {
  readonly database: Database
  readonly own: Searchable
  /** May still grow while the process is put together. */
  readonly searchables: readonly Searchable[]
}) {
  const { database } = parts
  const searchables = (): readonly Searchable[] => [parts.own, ...parts.searchables]

  /** The resource, or null for what is not there and for what is another account's. */
  async function named(accountId: string, crn: string): Promise<SearchableResource | null> {
    const parsed = parseCrn(crn)
    if (!parsed || parsed.accountId !== accountId) return null
    const listed = searchables().filter((searchable) => searchable.covers(parsed))
    if (listed.length === 0) return byCrn(crn, parsed)
    for (const searchable of listed) {
      const [resource] = await searchable.resources(accountId, crn)
      if (resource) return resource
    }
    return null
  }

  async function all(accountId: string): Promise<readonly SearchableResource[]> {
    const lists = await Promise.all(searchables().map((searchable) => searchable.resources(accountId, null)))
    return [...lists.flat(), ...(await taggedOnly(accountId))]
  }

  async function taggedOnly(accountId: string): Promise<readonly SearchableResource[]> {
    const crns = new Set((await selectTaggings(database.reads, accountId, null)).map((row) => row.resource_crn))
    return Array.from(crns).flatMap((crn) => {
      const parsed = parseCrn(crn)
      if (!parsed || searchables().some((searchable) => searchable.covers(parsed))) return []
      return [byCrn(crn, parsed)]
    })
  }

  return { named, all }
}

const byCrn = (crn: string, parsed: Crn): SearchableResource => ({
  crn,
  name: parsed.resource || parsed.serviceInstance,
  family: parsed.serviceName,
  type: parsed.resourceType || 'resource-instance',
  serviceName: parsed.serviceName,
  region: parsed.location,
  resourceGroupId: null,
  createdAt: 0,
  isReclaimed: false,
  ownTags: [],
  target: targetOf(parsed),
  doc: {},
})

const targetOf = ({ accountId, serviceName, serviceInstance, resourceType, resource }: Crn): Target => ({
  accountId,
  serviceName,
  ...(serviceInstance !== '' && { serviceInstance }),
  ...(resourceType !== '' && { resourceType }),
  ...(resource !== '' && { resource }),
})
