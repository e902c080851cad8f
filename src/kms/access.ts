// From a request to a grant. The order is that of Key Protect: the instance, then the caller's right, and only then
// whether there is such a key; so a stranger gets one answer, whatever does and does not exist.

import { Fault } from '#base/fault.ts'
import { isUuid } from '#base/id.ts'
import type { Caller, Context, Grant, IamPort, Target } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { defaultKeyRing, keyNotFound } from './key.ts'
import type { Instance, Key } from './key.ts'
import { notYet } from './key-request.ts'
import { selectInstance } from './tables-service.ts'

/** Who asks, and in which instance. */
export interface Asked {
  readonly caller: Caller
  readonly instanceId: string
}

export interface Access {
  /** Leave to do something in an instance as a whole, such as listing its keys. */
  instance<Action extends string>(asked: Asked, action: Action): Promise<{ grant: Grant<Action>; instance: Instance }>
  /** Leave to do something with one key. It says nothing about whether the key exists. */
  key<Action extends string>(asked: Asked, action: Action, keyId: string): Promise<Grant<Action>>
}

export function makeAccess(reads: Reads, iam: IamPort): Access {
  async function open(asked: Asked): Promise<Instance> {
    const instance = isUuid(asked.instanceId) ? await selectInstance(reads, asked.instanceId) : null
    if (!instance) throw noSuchInstance()
    return instance
  }

  async function authorize<Action extends string>(
    { caller }: Asked,
    action: Action,
    target: Target,
  ): Promise<Grant<Action>> {
    try {
      return await iam.authorize(caller, action, target)
    } catch (cause) {
      // The explanation names the account that has to act. A caller from elsewhere, who knows a GUID and nothing else,
      // must not learn from it whose instance that is, nor that it exists.
      const told = cause instanceof Fault && cause.code === 'forbidden' && caller.accountId !== target.accountId
      throw told ? noSuchInstance(cause) : cause
    }
  }

  return {
    async instance(asked, action) {
      const instance = await open(asked)
      return { instance, grant: await authorize(asked, action, instanceTarget(instance)) }
    },
    async key(asked, action, keyId) {
      const instance = await open(asked)
      const grant = await authorize(asked, action, keyTarget(instance, keyId))
      // Ids are the only names of keys yet, and no other text is worth a query.
      if (!isUuid(keyId)) throw keyNotFound(keyId)
      return grant
    },
  }
}

/** Key Protect API, "Request headers": the instance is required, the ring narrows the search to one ring. */
export function askedBy(
  { caller }: Context,
  { headers }: { readonly headers: Readonly<Record<string, string | undefined>> },
): Asked {
  const instanceId = headers['bluemix-instance']
  if (!instanceId) {
    throw new Fault('invalid', 'header Bluemix-Instance is required', {
      target: { type: 'header', name: 'Bluemix-Instance' },
    })
  }
  const keyRing = headers['x-kms-key-ring']
  if (keyRing !== undefined && keyRing !== defaultKeyRing) throw notYet('X-Kms-Key-Ring', 'header')
  return { caller, instanceId: instanceId.toLowerCase() }
}

/** Where a key of the instance stands in IAM; a policy may name any of these attributes. */
export const keyTarget = (instance: Instance, keyId: string): Target => ({
  ...instanceTarget(instance),
  resource: keyId,
})

export const found = (key: Key | null, keyId: string): Key => {
  if (!key) throw keyNotFound(keyId)
  return key
}

/** Policies narrowed to the ring or to the type `key` admit to lists too; those narrowed to one key do not. */
const instanceTarget = (instance: Instance): Target => ({
  accountId: instance.accountId,
  serviceName: 'kms',
  serviceInstance: instance.id,
  region: instance.region,
  resourceGroupId: instance.resourceGroupId,
  resourceType: 'key',
  keyRing: defaultKeyRing,
})

export const noSuchInstance = (cause?: unknown): Fault =>
  new Fault('forbidden', 'the caller may not, or there is no such instance in this region', { cause })
