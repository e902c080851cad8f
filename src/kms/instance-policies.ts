// The policies of an instance: whence requests are taken, what may be made, and what new keys begin with. They are asked
// where those things happen (access.ts, keys.ts, key-rotation.ts); keys that exist are not touched by a change.

import type { Clock } from '#base/clock.ts'
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
import { selectInstancePolicies, setInstancePolicies } from './tables-instance.ts'

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

  return { get, set, allowedIpPort }
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
