// Whether an account lets another one's block storage put volumes under its key: what to ask the API that explains
// decisions. Pure.

import type { Crn } from '#base/crn.ts'
import { blockStorage } from './authorization.ts'

/** What it takes to put a volume under a key: vpc/volume-key.ts asks for a data key, which is wrapped and registered. */
const actions = ['secrets.wrap', 'registrations.create'] as const

/** A question for each action; the key is null while nobody knows which. */
export function leaveQuestions(key: Crn | null, userAccountId: string) {
  const ask = (action: (typeof actions)[number]) => ({
    action: `${key?.serviceName ?? 'kms'}.${action}`,
    subject: { service_name: blockStorage, account_id: userAccountId },
    resource: {
      account_id: key?.accountId ?? '',
      service_name: key?.serviceName ?? 'kms',
      resource_type: 'key',
      resource: key?.resource ?? '',
      ...(key?.serviceInstance && { service_instance: key.serviceInstance }),
    },
  })
  return [ask(actions[0]), ask(actions[1])] as const
}
