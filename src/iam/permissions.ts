// The questions that everybody asks: may they, and if not, why not. Facts are read anew for every decision, so a policy
// that is made or removed counts from the next one on, on every replica (docs/decisions/0012-decisions-are-read.md).

import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import type { Explanation } from '#base/fault.ts'
import { nearestPoliciesMax } from '#base/limits.ts'
import type { Clock } from '#base/clock.ts'
import type { Database } from '#store/database.ts'
import { gate, identityTypeOf } from './access-settings.ts'
import { resourceAttributes } from './attributes.ts'
import { boundRefusal } from './bound-words.ts'
import { decide } from './decide.ts'
import type { Request } from './decide.ts'
import type { DecisionRecords } from './decision-records.ts'
import { explain, gatedExplanation, gatedRefusal, refusal } from './explain.ts'
import { findPolicies } from './holdings.ts'
import type { Found } from './holdings.ts'
import { nearestPolicy } from './nearest.ts'
import { resourceKeys } from './policy-keys.ts'
import { makeGrant } from './port.ts'
import type { AuthorizationsPort, Decision, Grant, IamPort, Subject, Target } from './port.ts'
import { isProviderRight, providerPolicyId } from './provider-rights.ts'
import { readAccessSettings } from './tables-access-settings.ts'
import { readAccount } from './tables-accounts.ts'
import { readChildIds } from './tables-authorizations.ts'

export interface Permissions
  extends Pick<IamPort, 'authorize' | 'decide' | 'explain'>,
    Pick<AuthorizationsPort, 'decideWithout' | 'passBound'> {
  /** Like authorize(), with null for no: for callers inside `iam` who say no in words of their own. */
  grant<Action extends string>(subject: Subject, action: Action, target: Target): Promise<Grant<Action> | null>
  /** What would be answered, for questions: nothing is recorded. The fault is what authorize() would throw. */
  foresee(
    subject: Subject,
    action: string,
    target: Target,
  ): Promise<
    { readonly permitted: true; readonly policyId: string } | { readonly permitted: false; readonly fault: Fault }
  >
  /** All that the subject has been given in the account, and whether anything there stands in the way of its action. */
  survey(
    subject: Subject,
    action: string,
    target: Target,
  ): Promise<{ readonly found: Found; readonly isBarred: boolean }>
}

interface Parts {
  readonly database: Database
  readonly clock: Clock
  /** By which bounds of authorizations end. */
  readonly keyClock: Clock
  readonly records: DecisionRecords
  /** How long a change takes to count: nothing, but in tests of users who want to see what their clients do. */
  readonly propagationMs: number
}

/** What stood in the way of a request that a policy permits. */
type Bar = { readonly by: 'settings' } | { readonly by: 'state'; readonly accountId: string }

type Outcome = { readonly decision: Decision; readonly bar: Bar | null }

export function makePermissions(parts: Parts): Permissions {
  const { database, clock, keyClock, records, propagationMs } = parts
  const times = (): Times => ({ now: clock.now(), keyNow: keyClock.now() })
  const until = (): number | null => (propagationMs === 0 ? null : clock.now() - propagationMs)

  async function evaluate(
    subject: Subject,
    action: string,
    target: Target,
    { record, without }: { record: boolean; without?: ReadonlySet<string> } = { record: true },
  ): Promise<Outcome> {
    assert(target.accountId !== '', 'every resource has an account')
    const decision = await decideByPolicies(subject, action, target, without)
    if (!decision.permitted) return { decision, bar: null }
    const bar = await barOf(subject, action, target, record)
    if (bar) return { decision: { permitted: false }, bar }
    if (record && decision.policyId !== providerPolicyId) records.permitted(decision.policyId)
    return { decision, bar: null }
  }

  const everythingGiven = (subject: Subject, accountId: string): Promise<Found> =>
    findPolicies(database.reads, subject, { accountId, resources: null, until: until() })

  async function decideByPolicies(
    subject: Subject,
    action: string,
    target: Target,
    without: ReadonlySet<string> = new Set(),
  ): Promise<Decision> {
    if (isProviderRight(subject, action, target)) return { permitted: true, policyId: providerPolicyId }
    const asked = { accountId: target.accountId, resources: resourceKeys(target), until: until() }
    const found = await findPolicies(database.reads, subject, asked)
    const policies = found.policies.filter(({ id }) => !without.has(id))
    return decide(policies, found.roles, requestOf(found.subject, action, target, times()))
  }

  /**
   * Only asked where a policy permits: states and settings take away from policies and add nothing. Read after the
   * policies, so whoever disables an account and then looks for what still runs misses nothing.
   */
  async function barOf(subject: Subject, action: string, target: Target, record: boolean): Promise<Bar | null> {
    const accountId = await disabledAccount(subject, target)
    if (accountId !== null) return { by: 'state', accountId }
    if (isProviderRight(subject, action, target)) return null
    return (await isAdmitted(subject, action, target, record)) ? null : { by: 'settings' }
  }

  /** A disabled account gives nobody anything, and nobody who acts for it is given anything, its services included. */
  async function disabledAccount(subject: Subject, target: Target): Promise<string | null> {
    for (const accountId of new Set([target.accountId, subject.accountId])) {
      const account = await readAccount(database.reads, accountId)
      if (account?.state === 'disabled') return accountId
    }
    return null
  }

  async function isAdmitted(
    subject: Subject,
    action: string,
    { accountId }: Target,
    record: boolean,
  ): Promise<boolean> {
    const subjectAccountId = subject.accountId
    if (subjectAccountId === accountId) return true
    const settings = await readAccessSettings(database.reads, accountId)
    if (!settings) return true
    const identityType = identityTypeOf(subject)
    const { admits, isEnforced, isWatched } = gate(settings.identityTypes[identityType], subjectAccountId)
    if (isWatched && record) {
      const initiatorId = 'iamId' in subject ? { initiatorId: subject.iamId } : {}
      const facts = { accountId, ...initiatorId, subjectAccountId, identityType, action, isEnforced }
      records.external({ type: 'iam.external-access.evaluated', ...facts })
    }
    return admits
  }

  async function refused(subject: Subject, action: string, target: Target, outcome: Outcome): Promise<Fault> {
    const { decision, bar } = outcome
    if (bar?.by === 'state') {
      // No policy is missing, and none would help: the explanation says what was asked for, and of whom.
      const { missingPolicy: _, fix: __, ...explanation } = explain(subject, action, target)
      return new Fault('forbidden', `account ${bar.accountId} is disabled`, { explanation })
    }
    if (bar?.by === 'settings') {
      const explanation = gatedExplanation(subject, action, target)
      return new Fault('forbidden', gatedRefusal(subject, target), { explanation })
    }
    if (!decision.permitted && decision.passed) return boundRefusal({ subject, action, target }, decision.passed)
    const nearest = await nearestOf(subject, action, target)
    const explanation = { ...explain(subject, action, target), ...(nearest && { nearestPolicy: nearest }) }
    return new Fault('forbidden', refusal(subject, action, target), { explanation })
  }

  /** Of the subject's own account and no other: what another account has granted is that account's to tell. */
  async function nearestOf(
    subject: Subject,
    action: string,
    target: Target,
  ): Promise<Explanation['nearestPolicy'] | null> {
    if (subject.accountId !== target.accountId) return null
    const { policies, roles, subject: attributes } = await everythingGiven(subject, target.accountId)
    const request = requestOf(attributes, action, target, times())
    return nearestPolicy(policies.slice(0, nearestPoliciesMax), roles, request)
  }

  const permissions: Permissions = {
    decide: async (subject, action, target) => (await evaluate(subject, action, target)).decision,

    async grant(subject, action, target) {
      const { decision } = await evaluate(subject, action, target)
      return decision.permitted ? makeGrant(action, subject, target, decision.policyId, decision.allowances) : null
    },

    async authorize(subject, action, target) {
      const outcome = await evaluate(subject, action, target)
      const { decision } = outcome
      const passed = decision.permitted ? decision.noted : decision.passed
      if (passed) records.passed(passed, { subject, action, target })
      if (decision.permitted) return makeGrant(action, subject, target, decision.policyId, decision.allowances)
      throw await refused(subject, action, target, outcome)
    },

    passBound(grant, passed, used) {
      records.passed(passed, grant)
      return passed.isEnforced ? boundRefusal(grant, passed, used) : null
    },

    async foresee(subject, action, target) {
      const outcome = await evaluate(subject, action, target, { record: false })
      if (outcome.decision.permitted) return outcome.decision
      return { permitted: false, fault: await refused(subject, action, target, outcome) }
    },

    async survey(subject, action, target) {
      const found = await everythingGiven(subject, target.accountId)
      return { found, isBarred: (await barOf(subject, action, target, true)) !== null }
    },

    async decideWithout(subject, action, target, policyId) {
      const gone = new Set([policyId, ...(await readChildIds(database.reads, policyId))])
      return (await evaluate(subject, action, target, { record: false, without: gone })).decision
    },

    explain: (subject, action, target) => explain(subject, action, target),
  }
  return permissions
}

export interface Times {
  readonly now: number
  readonly keyNow: number
}

export const requestOf = (subject: Request['subject'], action: string, target: Target, times: Times): Request => ({
  subject,
  action,
  resource: resourceAttributes(target),
  ...(target.accessTags && { tags: target.accessTags }),
  ...(target.keyUse && { keyUse: target.keyUse }),
  ...times,
})
