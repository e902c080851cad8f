// Keys by their CRN, as services ask for them across accounts. The policies of the account in the CRN decide, and whoever
// they do not permit reads one answer, made from the CRN alone, whether or not there is such a key.

import { parseCrn, parseShortKeyCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { isHex32, isUuid } from '#base/id.ts'
import type { Grant, IamPort, ServiceSubject, Target } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { keyTarget } from './access.ts'
import type { Instance } from './key.ts'
import { selectInstanceOfKey } from './tables-service.ts'

export interface KeyName {
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
  if (!crn || crn.cname !== 'bluemix' || crn.ctype !== 'public' || crn.serviceName !== 'kms') return null
  if (crn.resourceType !== 'key' || crn.location === '' || !isHex32(crn.accountId) || !isUuid(crn.resource)) return null
  if (!short && !isUuid(crn.serviceInstance)) return null
  return {
    keyId: crn.resource,
    accountId: crn.accountId,
    region: crn.location,
    instanceId: short ? null : crn.serviceInstance,
  }
}

/** The instance in which the named key lies, or null where there is no such key. Nobody is told before `authorizeNamed`. */
export const locate = (reads: Reads, name: KeyName): Promise<Instance | null> => selectInstanceOfKey(reads, name)

/** What the policies of the key's account are asked: everything about a key that exists, and its name about any other. */
export const targetOf = (name: KeyName, located: Instance | null): Target =>
  located ? keyTarget(located, name.keyId) : nameTarget(name)

export async function authorizeNamed<Action extends string>(
  iam: IamPort,
  request: {
    readonly as: ServiceSubject
    readonly action: Action
    readonly name: KeyName
    readonly located: Instance | null
  },
): Promise<Grant<Action>> {
  const { as, action, name, located } = request
  try {
    return await iam.authorize(as, action, targetOf(name, located))
  } catch (cause) {
    if (!(cause instanceof Fault) || cause.code !== 'forbidden') throw cause
    const explanation = iam.explain(as, action, nameTarget(name))
    const message = `service ${as.serviceName} of account ${as.accountId} may not ${action} in account ${name.accountId}`
    throw new Fault('forbidden', message, { explanation, cause })
  }
}

/** Of the name alone: an explanation made from more would tell what exists. */
const nameTarget = (name: KeyName): Target => ({
  accountId: name.accountId,
  serviceName: 'kms',
  region: name.region,
  resourceType: 'key',
  resource: name.keyId,
  ...(name.instanceId !== null && { serviceInstance: name.instanceId }),
})
