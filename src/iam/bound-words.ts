// What to say to whoever a bound of an authorization has stopped: which bound it is, what it says, and what to ask of the
// account that has set it. The authorization is for the one who asks, who is party to it: its bounds are no secret to them.

import { rfc3339 } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { explain } from './explain.ts'
import type { PassedBound, Subject, Target } from './port.ts'

/** `used` is how much there is already, of what is counted. */
export function boundRefusal(
  asked: { readonly subject: Subject; readonly action: string; readonly target: Target },
  passed: PassedBound,
  used: number | null = null,
): Fault {
  const { subject, action, target } = asked
  const { accountId } = target
  const says = saying(passed, used)
  const ask = `ask account ${accountId} to ${remedies[passed.bound]} (bounds.${passed.bound} of that policy)`
  // No policy is missing: what there is would have to say more.
  const { missingPolicy: _, fix: __, ...explanation } = explain(subject, action, target)
  return new Fault('forbidden', `authorization ${passed.policyId} of account ${accountId} ${says}: ${ask}`, {
    explanation: {
      ...explanation,
      bound: {
        policyId: passed.policyId,
        name: passed.bound,
        limit: passed.bound === 'expires_at' && typeof passed.limit === 'number' ? rfc3339(passed.limit) : passed.limit,
        ...(used !== null && { used }),
        ask,
      },
    },
  })
}

function saying({ bound, limit }: PassedBound, used: number | null): string {
  switch (bound) {
    case 'expires_at':
      return `has ended at ${typeof limit === 'number' ? rfc3339(limit) : 'its time'}`
    case 'max_volumes':
      return `is for ${String(limit)} volumes, and there are ${used ?? 0}`
    case 'max_capacity_gb':
      return `is for ${String(limit)} GB of volumes, and there are ${used ?? 0} GB`
    default:
      return `is for ${bound} ${list(limit)} only`
  }
}

const list = (limit: PassedBound['limit']): string => (typeof limit === 'number' ? String(limit) : limit.join(', '))

const remedies = {
  expires_at: 'set a later end',
  max_volumes: 'allow more volumes',
  max_capacity_gb: 'allow more capacity',
  profiles: 'allow the profile',
  zones: 'allow the zone',
  purposes: 'allow the purpose',
} as const satisfies Record<PassedBound['bound'], string>
