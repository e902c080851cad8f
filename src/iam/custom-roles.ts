// Roles that an account makes for itself, of actions that its services have. A role gives nothing by itself, but policies
// name it, so whoever makes or widens one holds what is in it.

import { createHash } from 'node:crypto'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import { customRolesPerAccountMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database, Reads, Tx } from '#store/database.ts'
import { actionConcerns } from './actions.ts'
import { equals } from './conditions.ts'
import { actionAbove } from './granting.ts'
import { readHoldings } from './holdings.ts'
import type { Permissions } from './permissions.ts'
import { makePolicyEnding } from './policy-ending.ts'
import { wrongField } from './policy-parse.ts'
import { makeGrant } from './port.ts'
import type { Caller, Context, Grant, Target } from './port.ts'
import { checkRevision, firstRevision, nextRevision } from './revision.ts'
import { roles } from './roles.ts'
import { parentsWithRole } from './tables-policies.ts'
import {
  accountOfRole,
  deleteRole,
  insertRole,
  policyWithRole,
  readRole,
  readRoles,
  readRolesForWords,
  updateRole,
} from './tables-roles.ts'

export interface NewRole {
  readonly accountId: string
  readonly name: string
  readonly displayName: string
  readonly description: string | null
  readonly serviceName: string
  readonly actions: readonly string[]
}

export interface CustomRole extends NewRole {
  readonly id: string
  readonly crn: string
  readonly fingerprint: string
  readonly revision: string
  readonly createdAt: number
  readonly createdById: string
  readonly lastModifiedAt: number
  readonly lastModifiedById: string
}

export interface CustomRoles {
  create(context: Context, role: NewRole): Promise<CustomRole>
  /** Fault 'not_found' for another account's. */
  get(context: Context, id: string): Promise<CustomRole>
  replace(
    context: Context,
    id: string,
    change: Pick<NewRole, 'displayName' | 'description' | 'actions'> & { readonly ifMatch: string | undefined },
  ): Promise<CustomRole>
  delete(context: Context, id: string): Promise<void>
  /** None for whoever may not see them. */
  list(context: Context, accountId: string): Promise<readonly CustomRole[]>
  /** What the account's roles are called, for policies that the caller may read. */
  words(accountId: string): Promise<ReadonlyMap<string, CustomRole>>
}

const targetIn = (accountId: string): Target => ({ accountId, serviceName: 'iam-access-management' })
const knownActions: ReadonlySet<string> = new Set(roles.flatMap((role) => role.actions))

export function makeCustomRoles(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly permissions: Permissions
}): CustomRoles {
  const { database, outbox, clock, random, permissions } = parts
  const ending = makePolicyEnding(parts)

  async function readable(reads: Reads, caller: Caller, id: string): Promise<CustomRole> {
    const accountId = await accountOfRole(reads, id)
    const grant =
      accountId === null ? null : await permissions.grant(caller, 'iam.customRole.read', targetIn(accountId))
    const role = grant && (await readRole(reads, grant, id))
    if (!role) throw new Fault('not_found', `role ${id.slice(0, 64)} not found`, { reason: 'role_not_found' })
    return role
  }

  /** Above what the caller holds over the whole service, nothing goes into a role. */
  async function checkHeld(tx: Tx, caller: Caller, role: NewRole, actions: readonly string[]): Promise<void> {
    const { accountId, serviceName } = role
    const holdings = await readHoldings(tx, caller, accountId, { now: clock.now() })
    const resource = [equals('accountId', accountId), equals('serviceName', serviceName)]
    const above = actionAbove(holdings, { resource }, actions)
    if (above === null) return
    throw new Fault('forbidden', `${caller.iamId} may not do ${above} in all of ${serviceName}: no role may give it`)
  }

  /** Whoever may change a role may end what was derived and no longer fits since. */
  async function endStrays(
    tx: Tx,
    grant: Grant<'iam.customRole.update'>,
    caller: Caller,
    { crn }: CustomRole,
  ): Promise<void> {
    const removing = makeGrant('iam.policy.delete', grant.subject, grant.target, grant.policyId)
    for (const parent of await parentsWithRole(tx, grant, crn)) await ending.endStrays(tx, removing, caller, parent)
  }

  async function checkTwins(tx: Tx, role: CustomRole): Promise<void> {
    for (const other of await readRolesForWords(tx, role.accountId)) {
      if (other.id === role.id) continue
      const isTwin = other.serviceName === role.serviceName && other.fingerprint === role.fingerprint
      if (other.name !== role.name && !isTwin) continue
      const what = other.name === role.name ? `is called ${role.name} already` : 'has the same actions'
      throw new Fault('conflict', `role ${other.id} ${what}`, {
        reason: 'role_conflict_error',
        extra: { conflicts_with: { role: other.id, etag: other.revision } },
      })
    }
  }

  const event = (role: CustomRole, { iamId }: Caller) => ({
    accountId: role.accountId,
    initiatorId: iamId,
    roleId: role.id,
  })

  return {
    async create({ caller }, asked) {
      checkActions(asked)
      const { accountId } = asked
      const grant = await grantIn(permissions, caller, accountId)
      const now = clock.now()
      const role: CustomRole = {
        ...asked,
        id: makeUuid(random),
        crn: `crn:v1:bluemix:public:iam-access-management::a/${accountId}::customRole:${asked.name}`,
        fingerprint: fingerprintOf(asked.actions),
        revision: firstRevision(random),
        createdAt: now,
        createdById: caller.iamId,
        lastModifiedAt: now,
        lastModifiedById: caller.iamId,
      }
      await database.transaction(async (tx) => {
        await checkHeld(tx, caller, role, role.actions)
        await checkTwins(tx, role)
        if ((await readRolesForWords(tx, accountId)).length >= customRolesPerAccountMax) {
          throw new Fault('unprocessable', `account ${accountId} has ${customRolesPerAccountMax} roles, the quota`)
        }
        await insertRole(tx, grant, role)
        await outbox.append(tx, { type: 'iam.role.created', ...event(role, caller) })
      })
      return role
    },

    get: ({ caller }, id) => readable(database.reads, caller, id),

    async replace({ caller }, id, { ifMatch, ...change }) {
      const { accountId, serviceName } = await readable(database.reads, caller, id)
      checkActions({ ...change, serviceName })
      const grant = await permissions.authorize(caller, 'iam.customRole.update', targetIn(accountId))
      return await database.transaction(async (tx) => {
        const before = await readable(tx, caller, id)
        checkMatch(ifMatch, before)
        const after: CustomRole = {
          ...before,
          ...change,
          fingerprint: fingerprintOf(change.actions),
          revision: nextRevision(before.revision, random),
          lastModifiedAt: clock.now(),
          lastModifiedById: caller.iamId,
        }
        const had = new Set(before.actions)
        await checkHeld(
          tx,
          caller,
          after,
          after.actions.filter((action) => !had.has(action)),
        )
        await checkTwins(tx, after)
        await updateRole(tx, grant, after)
        await outbox.append(tx, { type: 'iam.role.updated', ...event(after, caller) })
        await endStrays(tx, grant, caller, after)
        return after
      })
    },

    async delete({ caller }, id) {
      const { accountId } = await readable(database.reads, caller, id)
      const grant = await permissions.authorize(caller, 'iam.customRole.delete', targetIn(accountId))
      await database.transaction(async (tx) => {
        const role = await readable(tx, caller, id)
        const policyId = await policyWithRole(tx, grant, role.crn)
        if (policyId !== null) {
          throw new Fault('conflict', `role ${id} is named by policy ${policyId}: delete that first`, {
            reason: 'role_conflict_error',
            extra: { conflicts_with: { policy: policyId } },
          })
        }
        await deleteRole(tx, grant, id)
        await outbox.append(tx, { type: 'iam.role.deleted', ...event(role, caller) })
      })
    },

    async list({ caller }, accountId) {
      const grant = await permissions.grant(caller, 'iam.customRole.read', targetIn(accountId))
      return grant ? await readRoles(database.reads, grant) : []
    },

    words: async (accountId) =>
      new Map((await readRolesForWords(database.reads, accountId)).map((role) => [role.crn, role])),
  }
}

const grantIn = (
  permissions: Permissions,
  caller: Caller,
  accountId: string,
): Promise<Grant<'iam.customRole.create'>> =>
  permissions.authorize(caller, 'iam.customRole.create', targetIn(accountId))

function checkActions({ serviceName, actions }: Pick<NewRole, 'serviceName' | 'actions'>): void {
  const wrong = actions.find((action) => !knownActions.has(action) || !actionConcerns(action, serviceName))
  if (wrong !== undefined) throw wrongField('actions', `${JSON.stringify(wrong)} is no action of ${serviceName}`)
  if (new Set(actions).size !== actions.length) throw wrongField('actions', 'an action is given twice')
}

function checkMatch(ifMatch: string | undefined, role: CustomRole): void {
  try {
    checkRevision(ifMatch, role.revision)
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'conflict') throw cause
    throw new Fault('conflict', `role ${role.id} has been changed since it was read: read it again`, {
      reason: 'role_conflict_error',
      extra: { conflicts_with: { role: role.id, etag: role.revision } },
      cause,
    })
  }
}

const fingerprintOf = (actions: readonly string[]): string =>
  createHash('sha256')
    .update(JSON.stringify([...actions].sort()))
    .digest('hex')
