// Resource groups as VPC resources refer to them. The groups themselves are the account layer's.

import { Fault } from '#base/fault.ts'
import type { ResourceGroup, ResourcesPort } from '#resources/port.ts'
import type { Kind } from './targets.ts'

/** The group that a new resource shall lie in: the one named, or the account's default. */
export async function groupForNew(
  resources: ResourcesPort,
  kind: Kind,
  accountId: string,
  id: string | null,
): Promise<ResourceGroup> {
  const group = await resources.group(accountId, id)
  if (group) return group
  const which = id === null ? 'the default resource group' : `resource group ${JSON.stringify(id.slice(0, 64))}`
  throw new Fault('invalid', `${which} of account ${accountId} is not found`, {
    reason: kind === 'volume' ? 'volume_resource_group_not_found' : 'bad_field',
    target: { type: 'field', name: 'resource_group.id' },
  })
}

/** The names of the groups that these resources lie in; a group that has gone is called by its id. */
export async function groupNames(
  resources: ResourcesPort,
  things: readonly { readonly accountId: string; readonly resourceGroupId: string }[],
): Promise<ReadonlyMap<string, string>> {
  const owners = new Map(things.map((thing) => [thing.resourceGroupId, thing.accountId]))
  const pairs = Array.from(owners, async ([id, accountId]): Promise<[string, string]> => {
    const group = await resources.group(accountId, id)
    return [id, group?.name ?? id]
  })
  return new Map(await Promise.all(pairs))
}

/** The group as a reference; its own page is the resource controller's. */
export const groupReference = (base: string, id: string, names: ReadonlyMap<string, string>) => ({
  href: `${base}/v2/resource_groups/${id}`,
  id,
  name: names.get(id) ?? id,
})
