// What would come of an action on a key, by the rules that the action itself obeys: the table of states, the rules of
// action-rules.ts, and IAM's decision without the policy that would go. Nothing is changed.

import type { Clock } from '#base/clock.ts'
import { Fault, unreachable } from '#base/fault.ts'
import type { AuthorizationsPort, IamPort, ServiceSubject } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { keyTarget } from './access.ts'
import type { Access, Asked } from './access.ts'
import { deletionRules, disablingRules, expiryRules, refusalsOf, rotationRules } from './action-rules.ts'
import { personOf } from './key-deletion.ts'
import type { Key } from './key.ts'
import { nextState } from './key-state.ts'
import type { KeyState } from './key-state.ts'
import { askedByKey } from './key-name.ts'
import { readKey } from './keys.ts'
import type { LeaseBook } from './lease-book.ts'
import type { ImpactAction, ImpactGroup, KeyAsk, KeyImpact, KeyStanding, Refusal, UsedKey } from './port.ts'
import { actionOf } from './service-name.ts'
import { standingIn } from './standings.ts'
import { countProtected } from './tables-registration.ts'
import { selectQuarantineHours } from './tables-safety.ts'
import { selectUsedKeys } from './tables-uses.ts'
import { actions, ledgerKey, requirePerson } from './uses.ts'

export function makeImpact(parts: {
  readonly reads: Reads
  readonly clock: Clock
  readonly iam: IamPort
  readonly authorizations: AuthorizationsPort
  readonly access: Access
  readonly book: LeaseBook
}) {
  const { reads, clock, iam, authorizations, access, book } = parts

  return async function impact(ask: KeyAsk, action: ImpactAction, policyId: string | null): Promise<KeyImpact> {
    requirePerson(ask.caller)
    const [asked, id] = askedByKey(ask)
    const grant = await access.key(asked, 'kms.registrations.listforkey', id)
    const key = await readKey(reads, grant, clock.now())
    const target = keyTarget({ ...key.instance, keyRing: key.keyRing }, key.id)
    const removed = action === 'remove-authorization' ? await requireAuthorization(key, policyId) : null
    const stateAfter = stateAfterOf(action, key.state)

    async function standingOf(as: ServiceSubject, state: KeyState, without: string | null): Promise<KeyStanding> {
      const unwrap = actionOf(target.serviceName, 'kms.secrets.unwrap')
      const decision =
        without === null
          ? await iam.decide(as, unwrap, target)
          : await authorizations.decideWithout(as, unwrap, target, without)
      return decision.permitted ? standingIn(state) : 'unauthorized'
    }

    async function group(used: UsedKey): Promise<ImpactGroup> {
      const { accountId, serviceName, resourceCount, since } = used
      const as: ServiceSubject = { kind: 'service', serviceName, accountId }
      return {
        accountId,
        serviceName,
        resourceCount,
        since,
        openCount: book.countUnder(key.id, as),
        before: await standingOf(as, key.state, null),
        after: await standingOf(as, stateAfter, removed),
      }
    }

    const used = await selectUsedKeys(reads, { keyId: key.id })
    return {
      key: ledgerKey(key),
      stateAfter,
      refusals: [...(await mayNot(asked, key, action)), ...(await refusals(asked, key, action))],
      groups: await Promise.all(used.map(group)),
    }
  }

  /** Whether the one who asks could do it. */
  async function mayNot(asked: Asked, key: Key, action: ImpactAction): Promise<readonly Refusal[]> {
    if (action === 'expire' || action === 'remove-authorization') return []
    try {
      await access.key(asked, actions[action], key.id)
      return []
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== 'forbidden') throw error
      return [{ code: 'forbidden', message: error.message, isForceable: false }]
    }
  }

  async function refusals({ caller }: Asked, key: Key, action: ImpactAction): Promise<readonly Refusal[]> {
    const now = clock.now()
    switch (action) {
      case 'disable':
        return refusalsOf(disablingRules(key))
      case 'delete': {
        const resources = await countProtected(reads, key.id)
        const safety = { quarantineHours: await selectQuarantineHours(reads, key.instance.accountId) }
        return refusalsOf(deletionRules({ key, by: personOf(caller), now, resources, force: false, safety }))
      }
      case 'rotate':
        return refusalsOf(rotationRules(key, now))
      case 'expire':
        return refusalsOf(expiryRules(key))
      case 'remove-authorization':
        return []
      default:
        return unreachable(action)
    }
  }

  async function requireAuthorization(key: Key, policyId: string | null): Promise<string> {
    const target = { type: 'field', name: 'policy_id' } as const
    if (policyId === null) throw new Fault('invalid', 'policy_id says which authorization would go', { target })
    const found = await authorizations.find(policyId)
    if (found?.accountId === key.instance.accountId) return policyId
    throw new Fault('not_found', `account ${key.instance.accountId} has no authorization of that id`, { target })
  }
}

/** As if nothing refused. */
function stateAfterOf(action: ImpactAction, state: KeyState): KeyState {
  if (action === 'rotate' || action === 'remove-authorization') return state
  return nextState[action]
}
