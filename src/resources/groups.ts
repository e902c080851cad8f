// Resource groups. Source: Resource Manager API v2. Each account is born with one, `Default`, which stays.

import type { Clock } from '#base/clock.ts'
import { formatCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { makeHex32 } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { Event } from '#events/event.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Caller, Context, IamPort, Target } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import type { ResourceGroup, Searchable } from './port.ts'
import {
  countInstancesOfGroup,
  deleteGroup,
  insertDefaultGroup,
  insertGroup,
  selectGroup,
  selectGroups,
  updateGroup,
} from './tables.ts'
import { deleteTaggingsOf } from './tables-tags.ts'
import type { GroupRow } from './tables.ts'

export type GroupState = 'ACTIVE' | 'SUSPENDED'

export type Groups = ReturnType<typeof makeGroups>

export const groupCrn = (accountId: string, id: string): string =>
  formatCrn({ serviceName: 'resource-controller', accountId, resourceType: 'resource-group', resource: id })

export const groupTarget = (row: GroupRow): Target => ({
  accountId: row.account_id,
  serviceName: 'resource-controller',
  resourceType: 'resource-group',
  resource: row.id,
  resourceGroupId: row.id,
})

export function makeGroups(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly iam: IamPort
  /** Other services, whose resources lie in groups too. */
  readonly searchables: readonly Searchable[]
}) {
  const { database, outbox, clock, random, iam, searchables } = parts

  /** For other services, which have authorised their own caller: resources/port.ts. */
  async function group(accountId: string, id: string | null): Promise<ResourceGroup | null> {
    const row =
      id === null
        ? (await selectGroups(database.reads, accountId)).find((row) => row.is_default === 1)
        : await selectGroup(database.reads, accountId, id)
    return row ? { id: row.id, accountId, name: row.name } : null
  }

  async function list(
    context: Context,
    filter: {
      readonly accountId: string | undefined
      readonly name: string | undefined
      readonly isDefault: boolean | undefined
    },
  ): Promise<readonly GroupRow[]> {
    const { caller } = context
    if (filter.accountId !== undefined && filter.accountId !== caller.accountId) return []
    const rows = await selectGroups(database.reads, caller.accountId)
    const seen: GroupRow[] = []
    for (const row of rows) {
      if (filter.name !== undefined && row.name !== filter.name) continue
      if (filter.isDefault === true && row.is_default === 0) continue
      if ((await iam.decide(caller, 'resource-controller.group.retrieve', groupTarget(row))).permitted) seen.push(row)
    }
    return seen
  }

  async function get(context: Context, id: string): Promise<GroupRow> {
    const row = await find(context, id)
    await iam.authorize(context.caller, 'resource-controller.group.retrieve', groupTarget(row))
    return row
  }

  async function find({ caller }: Context, id: string): Promise<GroupRow> {
    const row = await selectGroup(database.reads, caller.accountId, id)
    if (!row) throw new Fault('not_found', 'resource group does not exist in this account')
    return row
  }

  async function create(
    { caller }: Context,
    request: { readonly name: string; readonly accountId: string | undefined },
  ): Promise<GroupRow> {
    if (request.accountId !== undefined && request.accountId !== caller.accountId) {
      throw new Fault('not_found', 'account does not exist')
    }
    const at = clock.now()
    const row: GroupRow = {
      id: makeHex32(random),
      account_id: caller.accountId,
      name: request.name,
      is_default: 0,
      state: 'ACTIVE',
      created_at: at,
      updated_at: at,
    }
    const grant = await iam.authorize(caller, 'resource-controller.group.create', groupTarget(row))
    await database.transaction(async (tx) => {
      if (!(await insertGroup(tx, grant, row))) throw nameTaken(row.name)
      await outbox.append(tx, eventOf(row, caller, 'resources.group.created'))
    })
    return row
  }

  async function update(
    context: Context,
    id: string,
    patch: { readonly name: string | undefined; readonly state: GroupState | undefined },
  ): Promise<GroupRow> {
    const { caller } = context
    const row = await find(context, id)
    const grant = await iam.authorize(caller, 'resource-controller.group.update', groupTarget(row))
    const set = { name: patch.name ?? row.name, state: patch.state ?? row.state, updated_at: clock.now() }
    await database.transaction(async (tx) => {
      const others = await selectGroups(tx, row.account_id)
      if (others.some((other) => other.id !== row.id && other.name === set.name)) throw nameTaken(set.name)
      await updateGroup(tx, grant, row.id, set)
      await outbox.append(tx, eventOf(row, caller, 'resources.group.updated'))
    })
    return { ...row, ...set }
  }

  /** Resource Manager API, "Delete a resource group": not the default one, and not while anything lies in it. */
  async function remove(context: Context, id: string): Promise<void> {
    const { caller } = context
    const row = await find(context, id)
    const grant = await iam.authorize(caller, 'resource-controller.group.delete', groupTarget(row))
    if (row.is_default === 1) throw new Fault('invalid', 'the default resource group cannot be deleted')
    for (const searchable of searchables) {
      const resources = await searchable.resources(row.account_id, null)
      if (resources.some((resource) => resource.resourceGroupId === row.id)) throw notEmpty()
    }
    await database.transaction(async (tx) => {
      if ((await countInstancesOfGroup(tx, row.id)) > 0) throw notEmpty()
      await deleteGroup(tx, grant, row.id)
      await deleteTaggingsOf(tx, row.account_id, groupCrn(row.account_id, row.id))
      await outbox.append(tx, eventOf(row, caller, 'resources.group.deleted'))
    })
  }

  /** The group that an account begins with. May be repeated. */
  async function ensureDefault(accountId: string, id: string): Promise<void> {
    const at = clock.now()
    const fixed = { name: 'Default', is_default: 1, state: 'ACTIVE', created_at: at, updated_at: at }
    await database.transaction(async (tx) => {
      if (!(await insertDefaultGroup(tx, { id, account_id: accountId, ...fixed }))) return
      await outbox.append(tx, { type: 'resources.group.created', accountId, resourceGroupId: id })
    })
  }

  return { group, list, get, create, update, remove, ensureDefault }
}

const eventOf = (
  row: GroupRow,
  { iamId }: Caller,
  type: `resources.group.${'created' | 'updated' | 'deleted'}`,
): Event => ({ type, accountId: row.account_id, initiatorId: iamId, resourceGroupId: row.id })

/** The resource manager answers 400 with this code, where another service would have a conflict. */
const nameTaken = (name: string): Fault =>
  new Fault('invalid', `resource group name ${JSON.stringify(name)} is in use in this account`, {
    reason: 'RESOURCE_GROUP_NAME_UNIQUENESS',
    target: { type: 'field', name: 'name' },
  })

const notEmpty = (): Fault =>
  new Fault('conflict', 'resource group holds resources, active or waiting for reclamation: delete those first')
