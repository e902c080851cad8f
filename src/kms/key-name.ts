// Keys by their CRN, as services ask for them across accounts. The policies of the account in the CRN decide, and whoever
// they do not permit reads one answer, made from the CRN alone, whether or not there is such a key.

import { parseCrn, parseShortKeyCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { isHex32, isUuid } from '#base/id.ts'
import type { Context, Grant, IamPort, KeyPurpose, ServiceSubject, Target } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { keyTarget, requireInstanceId } from './access.ts'
import type { Asked } from './access.ts'
import type { KeyPlace } from './key.ts'
import type { KeyAsk } from './port.ts'
import { actionOf, authorizeIn, isKmsServiceName } from './service-name.ts'
import type { KmsServiceName } from './service-name.ts'
import { selectPlaceOfKey } from './tables-service.ts'

export interface KeyName {
  readonly serviceName: KmsServiceName
  readonly keyId: string
  readonly accountId: string
  readonly region: string
  /** Null in the short form. */
  readonly instanceId: string | null
}

/** What a key's CRN says, in either form; Fault 'invalid' for a text that cannot be the name of a key here. */
export function parseKeyName(text: string): KeyName {
  const name = keyNameOf(text)
  if (name) return name
  throw new Fault('invalid', 'key CRN does not name a key of this service', { reason: 'key_crn_invalid' })
}

/** As `parseKeyName`, or null. */
export function keyNameOf(text: string): KeyName | null {
  const short = parseShortKeyCrn(text)
  const crn = short ?? parseCrn(text)
  if (!crn || crn.cname !== 'bluemix' || crn.ctype !== 'public' || !isKmsServiceName(crn.serviceName)) return null
  if (crn.resourceType !== 'key' || crn.location === '' || !isHex32(crn.accountId) || !isUuid(crn.resource)) return null
  if (!short && !isUuid(crn.serviceInstance)) return null
  return {
    serviceName: crn.serviceName,
    keyId: crn.resource,
    accountId: crn.accountId,
    region: crn.location,
    instanceId: short ? null : crn.serviceInstance,
  }
}

/** The instance and the ring in which the named key lies, or null where there is no such key. Nobody is told before `authorizeNamed`. */
export const locate = (reads: Reads, name: KeyName): Promise<KeyPlace | null> => selectPlaceOfKey(reads, name)

/** What the policies of the key's account are asked: everything about a key that exists, and its name about any other. */
export const targetOf = (name: KeyName, located: KeyPlace | null): Target =>
  located ? keyTarget(located, name.keyId) : nameTarget(name)

export async function authorizeNamed<Action extends string>(
  iam: IamPort,
  request: {
    readonly as: ServiceSubject
    readonly action: Action
    readonly name: KeyName
    readonly located: KeyPlace | null
    /** Of what is to lie under the key. */
    readonly keyUse?: KeyPurpose
  },
): Promise<Grant<Action>> {
  const { as, action, name, located, keyUse } = request
  try {
    return await authorizeIn(iam, as, action, { ...targetOf(name, located), ...(keyUse && { keyUse }) })
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'forbidden') throw cause
    const named = actionOf(name.serviceName, action)
    const bound = cause.explanation?.bound
    if (bound) {
      const { missingPolicy: _, fix: __, ...explanation } = iam.explain(as, named, nameTarget(name))
      throw new Fault('forbidden', cause.message, { explanation: { ...explanation, bound }, cause })
    }
    const explanation = iam.explain(as, named, nameTarget(name))
    const message = `service ${as.serviceName} of account ${as.accountId} may not ${named} in account ${name.accountId}`
    throw new Fault('forbidden', message, { explanation, cause })
  }
}

/** Of the name alone: an explanation made from more would tell what exists. */
const nameTarget = (name: KeyName): Target => ({
  accountId: name.accountId,
  serviceName: name.serviceName,
  region: name.region,
  resourceType: 'key',
  resource: name.keyId,
  ...(name.instanceId !== null && { serviceInstance: name.instanceId }),
})

/** Where a path may hold a CRN instead of an id or alias: the CRN names the instance, and no header has to. */
export const askedByName = (
  { caller, remoteAddress }: Context,
  input: { readonly path: { readonly id: string }; readonly headers: Readonly<Record<string, string | undefined>> },
): readonly [Asked, string] => {
  const { 'bluemix-instance': instanceId, 'x-kms-key-ring': keyRing } = input.headers
  const [asked, id] = askedByKey({ caller, remoteAddress, instanceId, key: input.path.id })
  return [{ ...asked, keyRing: keyRing || undefined }, id]
}

/** As above, for who is no request: the key, and the one who asks about it. */
export function askedByKey({ caller, remoteAddress, instanceId, key }: KeyAsk): readonly [Asked, string] {
  const name = keyNameOf(key)
  if (name?.instanceId) return [{ caller, remoteAddress, instanceId: name.instanceId }, name.keyId]
  return [{ caller, remoteAddress, instanceId: requireInstanceId(instanceId) }, key]
}
