// For tests of policies: bodies in few words, and callers who need no login.

import { parsePolicyV2 } from '../policy-parse-v2.ts'
import { parsePolicy } from '../policy-parse.ts'
import type { Policy } from '../policy.ts'
import type { Caller, Context } from '../port.ts'
import { contextOf } from './world.ts'
import type { World } from './world.ts'

export const platformRole = (name: string): string => `crn:v1:bluemix:public:iam::::role:${name}`
export const serviceRole = (name: string, of = 'iam'): string => `crn:v1:bluemix:public:${of}::::serviceRole:${name}`
export const administrator = platformRole('Administrator')
export const delegator = platformRole('AuthorizationDelegator')
export const reader = serviceRole('Reader')

type Attributes = Readonly<Record<string, string>>
type Body = Parameters<typeof parsePolicy>[0]
export type BodyV2 = Parameters<typeof parsePolicyV2>[0]

const named = (attributes: Attributes) => Object.entries(attributes).map(([name, value]) => ({ name, value }))
export const keyed = (attributes: Attributes) =>
  Object.entries(attributes).map(([key, value]) => ({ key, operator: 'stringEquals' as const, value }))

export const body = (subject: Attributes, resource: Attributes, roles: readonly string[]): Body => ({
  type: 'iam_id' in subject || 'access_group_id' in subject ? 'access' : 'authorization',
  subjects: [{ attributes: named(subject) }],
  roles: roles.map((role_id) => ({ role_id })),
  resources: [{ attributes: named(resource) }],
})

export const bodyV2 = (
  subject: Attributes,
  resource: Attributes,
  roles: readonly string[],
  more: Partial<BodyV2> = {},
): BodyV2 => ({
  type: 'iam_id' in subject || 'access_group_id' in subject ? 'access' : 'authorization',
  subject: { attributes: keyed(subject) },
  resource: { attributes: keyed(resource) },
  control: { grant: { roles: roles.map((role_id) => ({ role_id })) } },
  ...more,
})

export const make = (
  world: World,
  by: Context,
  ...[subject, resource, roles]: Parameters<typeof body>
): Promise<Policy> => world.iam.policies.create(by, parsePolicy(body(subject, resource, roles)))

export const makeV2 = (world: World, by: Context, policy: BodyV2): Promise<Policy> =>
  world.iam.policies.create(by, parsePolicyV2(policy))

/** A user of an account, with nothing but what policies give. */
export const user = (iamId: string, accountId: string): Context => {
  const caller: Caller = { kind: 'user', iamId, accountId, name: `${iamId}@example.test` }
  return contextOf(caller)
}

/** A service of an account, as its token says. */
export const serviceOf = (accountId: string, serviceName = 'server-protect'): Context => {
  const crn = `crn:v1:bluemix:public:${serviceName}:us-south:a/${accountId}:::`
  return contextOf({ kind: 'service', iamId: `crn-${crn}`, accountId, name: crn })
}

export const eventsOf = async (world: World, type: string) =>
  (
    await world.database.reads.selectFrom('event_outbox').selectAll().where('type', '=', type).orderBy('seq').execute()
  ).map((row) => ({ accountId: row.account_id, ...JSON.parse(row.body) }))
