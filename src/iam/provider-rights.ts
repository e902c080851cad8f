// The one right that no policy gives: block storage of an account may use the provider's root key that was made for that
// account (base/provider.ts), and no other.

import { providerAccountId, providerInstanceId } from '#base/provider.ts'
import type { Subject, Target } from './port.ts'

const actions: ReadonlySet<string> = new Set([
  'kms.secrets.create',
  'kms.secrets.wrap',
  'kms.secrets.unwrap',
  'kms.secrets.rewrap',
  'kms.registrations.create',
])

/** What stands where the id of a policy would. */
export const providerPolicyId = 'provider-managed-encryption'

export const isProviderRight = (subject: Subject, action: string, target: Target): boolean =>
  actions.has(action) &&
  !('iamId' in subject) &&
  subject.serviceName === 'server-protect' &&
  target.accountId === providerAccountId &&
  target.serviceName === 'kms' &&
  target.serviceInstance === providerInstanceId(subject.accountId)
