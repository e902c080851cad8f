// The questions that everybody asks: may they, and if not, why not. Facts are read anew for every decision, so a policy
// that is made or removed counts from the next one on.

import { assert } from '#base/assert.ts'
import { Fault } from '#base/fault.ts'
import type { Database } from '#store/database.ts'
import { resourceAttributes, subjectAttributes, subjectKeys } from './attributes.ts'
import { decide } from './decide.ts'
import { explain, refusal } from './explain.ts'
import { makeGrant } from './port.ts'
import type { Grant, IamPort, Subject, Target } from './port.ts'
import { roleActions } from './roles.ts'
import { readCandidates } from './tables-policies.ts'

export interface Permissions extends Pick<IamPort, 'authorize' | 'decide' | 'explain'> {
  /** Like authorize(), with null for no: for callers inside `iam` who say no in words of their own. */
  grant<Action extends string>(subject: Subject, action: Action, target: Target): Promise<Grant<Action> | null>
}

export function makePermissions(database: Database): Permissions {
  const permissions: Permissions = {
    async decide(subject, action, target) {
      assert(target.accountId !== '', 'every resource has an account')
      const policies = await readCandidates(database.reads, target.accountId, subjectKeys(subject))
      const request = { subject: subjectAttributes(subject), action, resource: resourceAttributes(target) }
      return decide(policies, roleActions, request)
    },
    async grant(subject, action, target) {
      const decision = await permissions.decide(subject, action, target)
      return decision.permitted ? makeGrant(action, subject, target, decision.policyId) : null
    },
    async authorize(subject, action, target) {
      const grant = await permissions.grant(subject, action, target)
      if (grant) return grant
      throw new Fault('forbidden', refusal(subject, action, target), { explanation: explain(subject, action, target) })
    },
    explain,
  }
  return permissions
}
