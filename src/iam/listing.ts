// The questions that listings ask: one look at the policies for a whole page.

import { assert } from '#base/assert.ts'
import type { Clock } from '#base/clock.ts'
import { decide } from './decide.ts'
import type { DecisionRecords } from './decision-records.ts'
import { requestOf } from './permissions.ts'
import type { Permissions } from './permissions.ts'
import { makeGrant } from './port.ts'
import type { Grant, ListingPort } from './port.ts'
import { scopeOf } from './scope.ts'

export function makeListing(parts: {
  readonly permissions: Permissions
  readonly records: DecisionRecords
  readonly clock: Clock
  readonly keyClock: Clock
}): ListingPort {
  const { permissions, records, clock, keyClock } = parts
  const times = () => ({ now: clock.now(), keyNow: keyClock.now() })
  return {
    async scope(subject, action, collection) {
      assert(collection.resource === undefined && collection.resourceGroupId === undefined, 'a collection has no name')
      const { found, isBarred } = await permissions.survey(subject, action, collection)
      const request = requestOf(found.subject, action, collection, times())
      const scope = isBarred ? [] : scopeOf(found.policies, found.roles, request)
      if (scope === null) return { of: 'each' }
      const whole = scope.find((part) => !part.resources && !part.resourceGroupIds)
      if (whole) {
        records.permitted(whole.policyId)
        return { of: 'whole', grant: makeGrant(action, subject, collection, whole.policyId) }
      }
      if (scope.length > 0) return { of: 'parts', parts: scope }
      // Nothing of it is permitted; a policy that has just come may permit all of it.
      return { of: 'whole', grant: await permissions.authorize(subject, action, collection) }
    },

    async grants(subject, action, targets) {
      const [first] = targets
      if (!first) return []
      const { found, isBarred } = await permissions.survey(subject, action, first)
      if (isBarred) return targets.map(() => null)
      const at = times()
      const given = targets.map((target): Grant<typeof action> | null => {
        assert(target.accountId === first.accountId, 'the things of a collection are of one account')
        const decision = decide(found.policies, found.roles, requestOf(found.subject, action, target, at))
        return decision.permitted ? makeGrant(action, subject, target, decision.policyId) : null
      })
      for (const id of new Set(given.flatMap((grant) => grant?.policyId ?? []))) records.permitted(id)
      return given
    },
  }
}
