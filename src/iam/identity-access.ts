// Who may manage identities: literal actions of `iam-identity`, decided by policies, and one rule beside them: a user
// manages their own API keys (IBM Cloud IAM, "Managing user API keys").

import { Fault } from '#base/fault.ts'
import type { Permissions } from './permissions.ts'
import { makeGrant } from './port.ts'
import type { Caller, Grant, Target } from './port.ts'

export interface Owner {
  readonly accountId: string
  readonly iamId: string
}

export const accountTarget = (accountId: string): Target => ({ accountId, serviceName: 'iam-identity' })

/** A service id or profile, by the id that its CRN ends in. What belongs to one, such as its keys, is named like it. */
export function identityTarget({ accountId, iamId }: Owner): Target {
  const id = iamId.replace(/^iam-/, '')
  if (id.startsWith('ServiceId-')) return { ...accountTarget(accountId), resourceType: 'serviceid', resource: id }
  if (id.startsWith('Profile-')) return { ...accountTarget(accountId), resourceType: 'profile', resource: id }
  return accountTarget(accountId)
}

export const isOwn = (caller: Caller, { accountId, iamId }: Owner): boolean =>
  caller.kind === 'user' && caller.iamId === iamId && caller.accountId === accountId

/** Leave by being oneself; the id tells readers of a grant that no policy gave it. */
export const ownGrant = <Action extends string>(action: Action, caller: Caller, owner: Owner): Grant<Action> =>
  makeGrant(action, caller, identityTarget(owner), 'own-api-key')

/** Null when neither a policy nor being oneself permits it. */
export const grantOn = async <Action extends `iam-identity.apikey.${string}`>(
  permissions: Permissions,
  caller: Caller,
  action: Action,
  owner: Owner,
): Promise<Grant<Action> | null> =>
  isOwn(caller, owner)
    ? ownGrant(action, caller, owner)
    : await permissions.grant(caller, action, identityTarget(owner))

/** The same, with the explanation of what is missing: for things that the caller may see. */
export const authorizeOn = async <Action extends `iam-identity.apikey.${string}`>(
  permissions: Permissions,
  caller: Caller,
  action: Action,
  owner: Owner,
): Promise<Grant<Action>> =>
  isOwn(caller, owner)
    ? ownGrant(action, caller, owner)
    : await permissions.authorize(caller, action, identityTarget(owner))

/** One sentence for what is not there, what is another account's, and what the caller may not see. */
export const notFound = (what: string, id: string): Fault =>
  new Fault('not_found', `${what} ${id.slice(0, 200)} not found`)

export const changedMeanwhile = (): Fault =>
  new Fault('conflict', 'it has been changed since it was read: read it again')

export const isLocked = (what: string, id: string): Fault =>
  new Fault('conflict', `${what} ${id} is locked: unlock it to change or delete it`)

export const isFull = (sentence: string): Fault => new Fault('unprocessable', `${sentence}, which is the quota`)
