// What somebody has been granted in an account, as it stands in the database at this moment.

import type { Reads } from '#store/database.ts'
import { isIdentity, subjectAttributes } from './attributes.ts'
import { holds } from './conditions.ts'
import type { Attributes, PolicyFacts, RoleActions } from './decide.ts'
import type { Holdings } from './granting.ts'
import { groupOfKey, subjectKeys } from './policy-keys.ts'
import type { ResourceKey } from './policy-keys.ts'
import { isCustomRole } from './policy-parse.ts'
import type { Subject } from './port.ts'
import { roleActions } from './roles.ts'
import { readCandidates, readCandidatesAt, readCustomActions } from './tables-decisions.ts'
import type { Candidate, Wanted } from './tables-decisions.ts'

export interface Found {
  /** The subject with its access groups in this account. */
  readonly subject: Attributes
  /** Found by their keys: their conditions may still not hold. */
  readonly policies: readonly PolicyFacts[]
  readonly roles: RoleActions
}

/** What may permit this subject something there: on one resource, by its keys, or on any. */
export async function findPolicies(
  reads: Reads,
  subject: Subject,
  asked: {
    readonly accountId: string
    readonly resources: readonly ResourceKey[] | null
    /** Before what moment a change must have been made in order to count; null for all. */
    readonly until: number | null
  },
): Promise<Found> {
  const { accountId, resources, until } = asked
  const iamId = isIdentity(subject) ? subject.iamId : null
  const wanted: Wanted = { accountId, subjects: subjectKeys(subject), iamId, resources }
  const policies = until === null ? await readCandidates(reads, wanted) : await readCandidatesAt(reads, wanted, until)
  return {
    subject: subjectAttributes(subject, groupsOf(policies)),
    policies,
    roles: await rolesIn(reads, accountId, policies),
  }
}

/** Policies of a group are found because the subject is in it, so their keys tell the groups that matter. */
const groupsOf = (policies: readonly Candidate[]): readonly string[] => [
  ...new Set(policies.flatMap(({ subjectKey }) => groupOfKey(subjectKey) ?? [])),
]

/** The actions of all roles that these policies name; the account's own are read only where one is named. */
export async function rolesIn(
  reads: Reads,
  accountId: string,
  policies: readonly Pick<PolicyFacts, 'roles'>[],
): Promise<RoleActions> {
  if (!policies.some(({ roles }) => roles.some(isCustomRole))) return roleActions
  const custom = await readCustomActions(reads, accountId)
  return { get: (crn) => roleActions.get(crn) ?? custom.get(crn) }
}

/** What somebody may give to others, as far as it is theirs; `also` are policies whose roles will be compared with it. */
export async function readHoldings(
  reads: Reads,
  subject: Subject,
  accountId: string,
  context: { readonly now: number; readonly also?: readonly Pick<PolicyFacts, 'roles'>[] },
): Promise<Holdings> {
  const found = await findPolicies(reads, subject, { accountId, resources: null, until: null })
  const theirs = found.policies.filter(
    (policy) =>
      policy.subject.length > 0 &&
      policy.resource.some(({ name }) => name === 'accountId') &&
      policy.subject.every((condition) => holds(condition, found.subject.get(condition.name))),
  )
  const roles = await rolesIn(reads, accountId, [...theirs, ...(context.also ?? [])])
  return { policies: theirs, roles, now: context.now }
}
