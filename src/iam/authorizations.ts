// Authorizations as those may know them whom they concern, and their end: port.ts, `AuthorizationsPort`.

import type { Clock } from '#base/clock.ts'
import { endedPoliciesPerSweep } from '#base/limits.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { resourceAttributes } from './attributes.ts'
import { hasEnded } from './bounds.ts'
import { holds } from './conditions.ts'
import type { DecisionRecords } from './decision-records.ts'
import type { Permissions } from './permissions.ts'
import { parseDocument, parseFacts } from './policy-rows.ts'
import { valueOf } from './policy.ts'
import type { AuthorizationsPort, BoundedAuthorization } from './port.ts'
import { readAuthorization } from './tables-authorizations.ts'
import { noteEnded, selectBounded, selectEnding, selectPassed } from './tables-bounds.ts'

export function makeAuthorizations(parts: {
  readonly database: Database
  readonly keyClock: Clock
  readonly permissions: Permissions
  readonly records: DecisionRecords
}): AuthorizationsPort {
  const { database, keyClock, permissions, records } = parts
  const { reads } = database

  async function shown(row: { id: string; document: string; facts: string }): Promise<readonly BoundedAuthorization[]> {
    const facts = parseFacts(row.facts)
    const { bounds } = parseDocument(row.document)
    const subjectAccountId = valueOf(facts.subject, 'accountId')
    if (!bounds || !facts.bounds || subjectAccountId === undefined) return []
    const passed = await selectPassed(reads, row.id)
    return [
      {
        policyId: row.id,
        serviceName: valueOf(facts.subject, 'serviceName') ?? null,
        subjectAccountId,
        bounds,
        isEnforced: facts.bounds.mode === 'enforce',
        hasEnded: hasEnded({ ...facts, id: row.id }, keyClock.now()),
        refused: passed.enforced,
        watched: passed.monitored,
        covers(key) {
          const attributes = resourceAttributes(key)
          return facts.resource.every((condition) => holds(condition, attributes.get(condition.name)))
        },
      },
    ]
  }

  return {
    find: (policyId) => readAuthorization(reads, policyId),
    decideWithout: permissions.decideWithout,
    passBound: permissions.passBound,
    ending: (after, until) => selectEnding(reads, after, until),
    async bounds(policyId) {
      await records.flush()
      const [row] = await selectBounded(reads, { id: policyId })
      return (row && (await shown(row))[0]) ?? null
    },
    async bounded(accountId, after, limit) {
      await records.flush()
      const rows = await selectBounded(reads, { accountId, after, limit })
      return (await Promise.all(rows.map(shown))).flat()
    },
  }
}

/** By the clock they have ended already; this writes it down, so that whoever follows hears of it. */
export const makeEndings =
  ({
    database,
    outbox,
    keyClock,
  }: {
    readonly database: Database
    readonly outbox: Outbox
    readonly keyClock: Clock
  }) =>
  async (): Promise<void> => {
    for (;;) {
      const ended = await database.transaction(async (tx) => {
        const policies = await noteEnded(tx, keyClock.now(), endedPoliciesPerSweep)
        for (const one of policies) await outbox.append(tx, { type: 'iam.policy.ended', ...one })
        return policies.length
      })
      if (ended < endedPoliciesPerSweep) return
    }
  }
