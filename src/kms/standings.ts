// Whether a key can be used by the one who asks, and if not, why: the truth that leases and resources follow.

import type { Clock } from '#base/clock.ts'
import { unreachable } from '#base/fault.ts'
import type { IamPort, ServiceSubject } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { keyCrn } from './key.ts'
import type { KeyPlace } from './key.ts'
import { keyNameOf, locate, targetOf } from './key-name.ts'
import type { KeyName } from './key-name.ts'
import { isAllowed } from './key-state.ts'
import type { KeyState } from './key-state.ts'
import type { KeyReport, KeyStanding } from './port.ts'
import { actionOf } from './service-name.ts'
import { selectKeyOfAnyone } from './tables-service.ts'

export interface Standings {
  /** One report for each request, in the order of the requests. */
  reports(requests: readonly { keyCrn: string; as: ServiceSubject }[]): Promise<readonly KeyReport[]>
  /** Whether a data key under the named key may be held open, as the policies and the key are now. */
  mayLease(name: KeyName, as: ServiceSubject): Promise<boolean>
  /** Whether the key is destroyed or was never there: whoever has been let in asks no more than that. */
  isEnded(name: KeyName): Promise<boolean>
}

export function makeStandings(parts: {
  readonly reads: Reads
  readonly clock: Clock
  readonly iam: IamPort
}): Standings {
  const { reads, clock, iam } = parts

  // Leave is asked first: who may not use a key is not told what has become of it, nor whether it ever was.
  async function stateFor(
    name: KeyName,
    located: KeyPlace | null,
    as: ServiceSubject,
  ): Promise<KeyState | 'unauthorized'> {
    const decision = await iam.decide(as, actionOf(name.serviceName, 'kms.secrets.unwrap'), targetOf(name, located))
    if (!decision.permitted) return 'unauthorized'
    const key = located ? await selectKeyOfAnyone(reads, name.keyId, clock.now()) : null
    return key?.state ?? 'destroyed'
  }

  async function report(request: { keyCrn: string; as: ServiceSubject }): Promise<KeyReport> {
    const name = keyNameOf(request.keyCrn)
    if (!name) return { keyCrn: request.keyCrn, standing: 'deleted' }
    const located = await locate(reads, name)
    const state = await stateFor(name, located, request.as)
    const mayKnow = located !== null && state !== 'unauthorized'
    return { keyCrn: mayKnow ? keyCrn(located, name.keyId) : request.keyCrn, standing: standingIn(state) }
  }

  return {
    reports: (requests) => Promise.all(requests.map(report)),
    async mayLease(name, as) {
      // Located anew: a key that was moved to another ring is under other policies.
      const state = await stateFor(name, await locate(reads, name), as)
      return state !== 'unauthorized' && isAllowed('lease', state)
    },
    async isEnded(name) {
      const key = await selectKeyOfAnyone(reads, name.keyId, clock.now())
      return !key || key.state === 'destroyed'
    },
  }
}

export function standingIn(state: KeyState | 'unauthorized'): KeyStanding {
  switch (state) {
    case 'unauthorized':
      return 'unauthorized'
    case 'active':
      return 'usable'
    case 'pre-active':
    case 'suspended':
      return 'disabled'
    case 'deactivated':
      return 'expired'
    case 'destroyed':
      return 'deleted'
    default:
      return unreachable(state)
  }
}
