// Service credentials, as far as they are IAM's: the service id that a credential is, its API key and its policy. The rest of
// a credential is the account layer's (resources/keys.ts).

import type { Clock } from '#base/clock.ts'
import { formatCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import type { Database } from '#store/database.ts'
import type { Bearers } from './bearers.ts'
import { checkKeyFor } from './handing.ts'
import type { Policies } from './policies.ts'
import { parsePolicy } from './policy-parse.ts'
import type { Context, CredentialsPort, Target } from './port.ts'
import { serviceIdOf } from './service-ids.ts'
import type { ServiceIds } from './service-ids.ts'

export function makeServiceCredentials(parts: {
  readonly database: Database
  readonly clock: Clock
  readonly bearers: Bearers
  readonly serviceIds: ServiceIds
  readonly policies: Policies
}): CredentialsPort {
  const { database, clock, bearers, serviceIds, policies } = parts

  async function remove(context: Context, { iamId, policyId }: { iamId: string; policyId: string | null }) {
    await unlessGone(() => serviceIds.delete(context, iamId.replace(/^iam-/, '')))
    if (policyId !== null) await unlessGone(() => policies.delete(context, policyId))
  }

  return {
    remove,

    async callerOf(iamId, remoteAddress) {
      const bearer = await bearers.byIamId(iamId)
      if (!bearer) return null
      bearers.checkAddress(bearer, remoteAddress)
      const { accountId, kind, name } = bearer
      return { iamId, accountId, kind, name, personId: iamId }
    },

    async create(context, { name, description, target, roleCrn }) {
      const { accountId } = target
      const apiKeyName = `auto-generated-apikey-${name}`
      const { row, apiKey } = await serviceIds.create(context, {
        accountId,
        name,
        description,
        locked: false,
        apiKey: { name: apiKeyName, description },
      })
      const iamId = row.iam_id
      if (!apiKey) throw new Error('a service id that was asked for with an API key has one')
      try {
        const policy =
          roleCrn === null ? null : await policies.create(context, parsePolicy(policyOf(iamId, target, roleCrn)))
        return {
          iamId,
          serviceIdCrn: formatCrn({
            serviceName: 'iam-identity',
            accountId,
            resourceType: 'serviceid',
            resource: serviceIdOf(row),
          }),
          apiKeyId: apiKey.row.id,
          apiKeyName,
          apiKey: apiKey.apiKey,
          policyId: policy?.id ?? null,
        }
      } catch (error) {
        // Whoever may make a service id may also take this one away; if not, it is there and may do nothing.
        await remove(context, { iamId, policyId: null }).catch(() => {})
        throw error
      }
    },

    async mayHold(caller, iamId) {
      try {
        await checkKeyFor(database.reads, caller, iamId, clock.now())
        return true
      } catch (error) {
        if (error instanceof Fault && error.code === 'forbidden') return false
        throw error
      }
    },
  }
}

const policyOf = (iamId: string, { accountId, serviceName, serviceInstance = '' }: Target, roleCrn: string) => ({
  type: 'access' as const,
  subjects: [{ attributes: [{ name: 'iam_id', value: iamId }] }],
  roles: [{ role_id: roleCrn }],
  resources: [
    {
      attributes: [
        { name: 'accountId', value: accountId },
        { name: 'serviceName', value: serviceName },
        { name: 'serviceInstance', value: serviceInstance },
      ],
    },
  ],
})

async function unlessGone(work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (!(error instanceof Fault && error.code === 'not_found')) throw error
  }
}
