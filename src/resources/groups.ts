// Resource groups: each account is born with one, `Default`. More of them come with the resource manager's other calls.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Context, IamPort } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import type { ResourceGroup } from './port.ts'
import { insertDefaultGroup, selectGroups } from './tables.ts'
import type { GroupRow } from './tables.ts'

export type Groups = ReturnType<typeof makeGroups>

export function makeGroups(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly iam: IamPort
}) {
  const { database, outbox, clock, iam } = parts

  /** For other services, which have authorised their own caller: resources/port.ts. */
  async function group(accountId: string, id: string | null): Promise<ResourceGroup | null> {
    const rows = await selectGroups(database.reads, accountId)
    const row = rows.find((row) => (id === null ? row.is_default === 1 : row.id === id))
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
      if ((await iam.decide(caller, 'resource-controller.group.retrieve', targetOf(row))).permitted) seen.push(row)
    }
    return seen
  }

  async function get(context: Context, id: string): Promise<GroupRow> {
    const row = (await selectGroups(database.reads, context.caller.accountId)).find((row) => row.id === id)
    if (!row) throw new Fault('not_found', 'resource group does not exist in this account')
    await iam.authorize(context.caller, 'resource-controller.group.retrieve', targetOf(row))
    return row
  }

  /** The group that an account begins with. May be repeated. */
  async function ensureDefault(accountId: string, id: string): Promise<void> {
    const row: GroupRow = { id, account_id: accountId, name: 'Default', is_default: 1, created_at: clock.now() }
    await database.transaction(async (tx) => {
      if (!(await insertDefaultGroup(tx, row))) return
      await outbox.append(tx, { type: 'resources.group.created', accountId, resourceGroupId: id })
    })
  }

  return { group, list, get, ensureDefault }
}

const targetOf = (row: GroupRow) => ({
  accountId: row.account_id,
  serviceName: 'resource-controller',
  resourceType: 'resource-group',
  resource: row.id,
  resourceGroupId: row.id,
})
