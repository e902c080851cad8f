// From a request to a grant. The order is that of Key Protect: the instance, where the request comes from, the caller's
// right, and only then whether there is such a key; so a stranger gets one answer, whatever does and does not exist.

import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import type { Caller, Context, Grant, IamPort, KeyPurpose, Subject, Target } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { defaultKeyRing, keyNotFound } from './key.ts'
import type { Instance, Key, KeyPlace } from './key.ts'
import { isAdmitted } from './network.ts'
import type { InstancePolicies } from './policy.ts'
import { requireService } from './resource.ts'
import { actionOf, authorizeIn } from './service-name.ts'
import { selectKeyRingIds } from './tables-ring.ts'
import { selectPlace } from './tables-service.ts'

/** Who asks, and in which instance. */
export interface Asked {
  readonly caller: Caller
  readonly instanceId: string
  /** The ring of the header: where a new key goes, and where alone others are looked for. Absent: the default, and all. */
  readonly keyRing?: string | undefined
  /** Absent where no network lies between. */
  readonly remoteAddress?: string | undefined
}

export interface InstanceSettings extends Instance {
  readonly policies: InstancePolicies
}

export interface InstanceLeave<Action extends string> {
  readonly grant: Grant<Action>
  readonly instance: InstanceSettings
}

export interface Access {
  /** Leave to do something with the instance as a whole. */
  instance<Action extends string>(asked: Asked, action: Action): Promise<InstanceLeave<Action>>
  /** Leave to do something in one ring of it, such as making a key there. It says nothing about whether the ring exists. */
  ring<Action extends string>(asked: Asked, action: Action, keyRing: string): Promise<InstanceLeave<Action>>
  /** Leave to list what lies in the instance, in one ring, or in each of the rings that the caller has leave for. */
  list<Action extends string>(asked: Asked, action: Action): Promise<readonly [Grant<Action>, ...Grant<Action>[]]>
  /** Leave to do something with one key, by its id or an alias. The grant names the key by its id; there is such a key. */
  key<Action extends string>(
    asked: Asked,
    action: Action,
    idOrAlias: string,
    /** Of what is to lie under the key. */
    keyUse?: KeyPurpose,
  ): Promise<Grant<Action>>
}

export function makeAccess(reads: Reads, iam: IamPort): Access {
  async function open(asked: Asked, idOrAlias: string | null) {
    const place = isUuid(asked.instanceId) ? await selectPlace(reads, asked.instanceId, idOrAlias) : null
    if (!place || !isAdmitted(place.instance.policies, asked.remoteAddress)) throw noSuchInstance()
    return place
  }

  async function authorize<Action extends string>(
    { caller }: Asked,
    action: Action,
    target: Target,
  ): Promise<Grant<Action>> {
    try {
      return await authorizeIn(iam, subjectOf(caller), action, target)
    } catch (cause) {
      // The explanation names the account that has to act. A caller from elsewhere, who knows a GUID and nothing else,
      // must not learn from it whose instance that is, nor that it exists.
      const told = cause instanceof Fault && cause.code === 'forbidden' && caller.accountId !== target.accountId
      throw told ? noSuchInstance(cause) : cause
    }
  }

  /** Like authorize(), with null for no. */
  async function permitted<Action extends string>(
    { caller }: Asked,
    action: Action,
    target: Target,
  ): Promise<Grant<Action> | null> {
    try {
      return await authorizeIn(iam, subjectOf(caller), action, target)
    } catch (cause) {
      if (cause instanceof Fault && cause.code === 'forbidden') return null
      throw cause
    }
  }

  /** The rings of the instance that the caller may look into, when not all of them. */
  async function grantsForRings<Action extends string>(asked: Asked, instance: Instance, action: Action) {
    const rings = [defaultKeyRing, ...(await selectKeyRingIds(reads, instance.id))]
    const grants: Grant<Action>[] = []
    for (const keyRing of rings) {
      const target = { ...instanceTarget(instance), keyRing }
      const { permitted } = await iam.decide(subjectOf(asked.caller), actionOf(target.serviceName, action), target)
      if (permitted) grants.push(await authorize(asked, action, target))
    }
    return grants
  }

  return {
    async instance(asked, action) {
      const { instance } = await open(asked, null)
      return { instance, grant: await authorize(asked, action, instanceTarget(instance)) }
    },
    async ring(asked, action, keyRing) {
      const { instance } = await open(asked, null)
      return { instance, grant: await authorize(asked, action, { ...instanceTarget(instance), keyRing }) }
    },
    async list(asked, action) {
      const { instance } = await open(asked, null)
      const { keyRing } = asked
      if (keyRing !== undefined) return [await authorize(asked, action, { ...instanceTarget(instance), keyRing })]
      const { permitted } = await iam.decide(
        subjectOf(asked.caller),
        actionOf(instance.serviceName, action),
        instanceTarget(instance),
      )
      const [first, ...others] = permitted ? [] : await grantsForRings(asked, instance, action)
      return first ? [first, ...others] : [await authorize(asked, action, instanceTarget(instance))]
    },
    async key(asked, action, idOrAlias, keyUse) {
      const { instance, key } = await open(asked, idOrAlias)
      const { keyRing = key?.keyRing } = asked
      const isThere = key !== null && keyRing === key.keyRing
      const use = keyUse ? { keyUse } : {}
      const target = isThere ? { ...keyTarget({ ...instance, keyRing }, key.id), ...use } : null
      const grant = target && (await permitted(asked, action, target))
      if (grant) return grant
      // Made from what was asked alone, and so the same whether there is no such key or it is not the caller's to use.
      const ring = asked.keyRing === undefined ? {} : { keyRing: asked.keyRing }
      await authorize(asked, action, { ...instanceTarget(instance), ...ring, resource: idOrAlias, ...use })
      throw keyNotFound(idOrAlias)
    },
  }
}

/** Key Protect API, "Request headers": the instance is required, the ring narrows the search to one ring. */
export function askedBy(
  { caller, remoteAddress }: Context,
  { headers }: { readonly headers: Readonly<Record<string, string | undefined>> },
): Asked {
  const keyRing = headers['x-kms-key-ring'] || undefined
  return { caller, instanceId: requireInstanceId(headers['bluemix-instance']), keyRing, remoteAddress }
}

export function requireInstanceId(instanceId: string | undefined): string {
  if (instanceId) return instanceId.toLowerCase()
  throw new Fault('invalid', 'header Bluemix-Instance is required', {
    target: { type: 'header', name: 'Bluemix-Instance' },
  })
}

/** A service is asked about as what it is: policies name services, not the ids of their tokens. */
const subjectOf = (caller: Caller): Subject => (caller.kind === 'service' ? requireService(caller) : caller)

/** Where a key of the instance stands in IAM; a policy may name any of these attributes. */
export const keyTarget = ({ keyRing, ...instance }: KeyPlace, keyId: string): Target => ({
  ...instanceTarget(instance),
  keyRing,
  resource: keyId,
})

export const found = (key: Key | null, keyId: string): Key => {
  if (!key) throw keyNotFound(keyId)
  return key
}

/** Policies narrowed to the type `key` admit to the instance too; those narrowed to a ring or a key do not. */
export const instanceTarget = (instance: Instance): Target => ({
  accountId: instance.accountId,
  serviceName: instance.serviceName,
  serviceInstance: instance.id,
  region: instance.region,
  resourceGroupId: instance.resourceGroupId,
  resourceType: 'key',
})

export const noSuchInstance = (cause?: unknown): Fault =>
  new Fault('forbidden', 'the caller may not, or there is no such instance in this region', { cause })
