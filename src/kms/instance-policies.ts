// The policies of an instance: whence requests are taken, what may be made, and what new keys begin with. They are asked
// where those things happen (access.ts, keys.ts, key-rotation.ts); keys that exist are not touched by a change.

import type { Clock } from '#base/clock.ts'
import { formatCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import { noSuchInstance } from './access.ts'
import type { Access, Asked } from './access.ts'
import { invalidField } from './base64.ts'
import type { InstancePolicyChange } from './instance-policy-request.ts'
import { stampOf } from './key-policies.ts'
import { isListed } from './network.ts'
import { allowedAddresses, instancePolicyTypes } from './policy.ts'
import type { InstancePolicy, InstancePolicyType } from './policy.ts'
import { liftPolicies, selectInstancePolicies, setInstancePolicies } from './tables-instance.ts'
import { selectInstanceSettings } from './tables-service.ts'

/** Those that say whence requests are taken. */
const networkPolicyTypes = ['allowedIP', 'allowedNetwork'] as const

export type ShownInstancePolicy = InstancePolicy & { readonly type: InstancePolicyType }

export type InstancePolicyStore = ReturnType<typeof makeInstancePolicies>

export function makeInstancePolicies(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly access: Access
}) {
  const { database, outbox, clock, access } = parts

  async function get(asked: Asked, only: InstancePolicyType | null): Promise<readonly ShownInstancePolicy[]> {
    const { instance } = await access.instance(asked, 'kms.instancepolicies.read')
    return instancePolicyTypes.flatMap((type) => {
      const policy = instance.policies[type]
      return policy && (only === null || only === type) ? [{ type, ...policy }] : []
    })
  }

  async function set(asked: Asked, changes: readonly InstancePolicyChange[]): Promise<void> {
    const { grant, instance } = await access.instance(asked, 'kms.instancepolicies.write')
    refuseLockout(changes, asked.remoteAddress)
    await database.transaction(async (tx) => {
      const before = await selectInstancePolicies(tx, grant)
      if (!before) throw noSuchInstance()
      const now = clock.now()
      const { iamId } = asked.caller
      const changed = changes.map(({ type, enabled, attributes }) => [
        type,
        { enabled, attributes, ...stampOf(before[type] ?? null, iamId, now) },
      ])
      await setInstancePolicies(tx, grant, { ...before, ...Object.fromEntries(changed) })
      for (const { type: policyType, enabled } of changes) {
        const facts = { accountId: instance.accountId, initiatorId: iamId, instanceId: instance.id }
        await outbox.append(tx, { type: 'kms.instance.policy-set', ...facts, policyType, enabled })
      }
    })
  }

  /** The port that clients on the private network use where addresses are restricted; null where they are not. */
  async function allowedIpPort(asked: Asked, baseUrl: string): Promise<number | null> {
    const { instance } = await access.instance(asked, 'kms.instance.readallowedipport')
    if (allowedAddresses(instance.policies) === null) return null
    const { port, protocol } = new URL(baseUrl)
    return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
  }

  /** For the operator, who no tenant is: what keeps everybody out is set aside, and whose instance it is reads it in its trail. */
  async function liftNetworkPolicies(instanceId: string): Promise<void> {
    await database.transaction(async (tx) => {
      const instance = isUuid(instanceId) ? await selectInstanceSettings(tx, instanceId) : null
      if (!instance) throw new Fault('not_found', 'there is no such instance')
      const now = clock.now()
      const lifted = networkPolicyTypes.flatMap((type) => {
        const policy = instance.policies[type]
        return policy?.enabled
          ? [[type, { ...policy, enabled: false, updatedAt: now, updatedBy: 'operator' }] as const]
          : []
      })
      if (lifted.length === 0) return
      await liftPolicies(tx, instance.id, { ...instance.policies, ...Object.fromEntries(lifted) })
      const { accountId, serviceName, region: location, id: serviceInstance } = instance
      const instanceCrn = formatCrn({ serviceName, location, accountId, serviceInstance })
      const policyTypes = lifted.map(([type]) => type)
      await outbox.append(tx, { type: 'kms.instance.network-policies-lifted', accountId, instanceCrn, policyTypes })
    })
  }

  return { get, set, allowedIpPort, liftNetworkPolicies }
}

/** Whoever leaves out the own address could not put it in again. */
function refuseLockout(changes: readonly InstancePolicyChange[], remoteAddress: string | undefined): void {
  const list = changes.find(({ type }) => type === 'allowedIP')
  if (!list || remoteAddress === undefined) return
  const addresses = list.enabled ? list.attributes.allowed_ip : undefined
  if (!addresses || isListed(addresses, remoteAddress)) return
  const field = 'attributes.allowed_ip'
  throw invalidField(field, `${field} does not contain ${remoteAddress}, from where this request came`)
}
