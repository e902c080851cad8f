// From what somebody calls a key to the key: a CRN, an id, an alias or a name.

import { parseCrn } from '#base/crn.ts'
import { crnProblem, keyOfCrn } from '#client/crn-problem.ts'
import { inInstance, isKeyManager } from '#client/key-manager.ts'
import type { Key, KeyManager } from '#client/key-manager.ts'
import { Refusal } from '#client/refusal.ts'
import { Failure } from './failure.ts'
import { allPages } from './pages.ts'
import type { Session } from './session.ts'

export interface FoundKey {
  readonly id: string
  readonly name: string
  readonly instanceId: string
  readonly key: Key
}

/** Where a request about it goes. */
export const at = ({ id, instanceId }: FoundKey) => ({ headers: inInstance(instanceId), path: { id } })

/** Deleted ones too: they can be restored. The numbers are those of kms/key-state.ts. */
export const everyState = ['0', '1', '2', '3', '5']
/** Names are not unique; so many of one name nobody has. */
const searchMost = 200

export async function keyManagers(session: Session): Promise<KeyManager[]> {
  const { resources } = await allPages(
    (start?: string) =>
      session.call('resources', 'listResourceInstances', {
        query: { type: 'service_instance', limit: 100, ...(start !== undefined && { start }) },
      }),
    'resources',
  )
  return resources.filter(isKeyManager)
}

/** By name, id or CRN; without a text, the only one there is. */
export async function findKeyManager(session: Session, text: string | undefined): Promise<KeyManager> {
  const all = await keyManagers(session)
  const fitting = text === undefined ? all : all.filter(({ guid, crn, name }) => [guid, crn, name].includes(text))
  const [only, ...more] = fitting
  if (only && more.length === 0) return only
  if (only) {
    throw new Failure('usage', `${text === undefined ? 'there are several key managers' : `${text} is ambiguous`}`, {
      next: `say --key-manager with one of ${fitting.map(({ name, guid }) => `${guid} (${name})`).join(', ')}`,
    })
  }
  if (text !== undefined) throw new Failure('notFound', `there is no key manager ${text}`)
  throw new Failure('notFound', 'this account has no key manager yet', { next: 'keyward key-managers create NAME' })
}

/** A key of this account. */
export async function findKey(session: Session, text: string, keyManager?: string): Promise<FoundKey> {
  if (text.startsWith('crn:')) return await keyByCrn(session, text)
  const instances = keyManager === undefined ? await keyManagers(session) : [await findKeyManager(session, keyManager)]
  const found: FoundKey[] = []
  let refusal: Refusal | null = null
  for (const { guid } of instances) {
    try {
      found.push(...(await keysCalled(session, guid, text)))
    } catch (error) {
      // Whoever may look into one of them and not into the others is served by that one.
      if (!(error instanceof Refusal) || (error.status !== 401 && error.status !== 403)) throw error
      refusal = error
    }
  }
  const [only, ...more] = found
  if (only && more.length === 0) return only
  if (only) {
    throw new Failure('usage', `${found.length} keys are called ${text}`, {
      next: `name it by id: ${found.map(({ id, instanceId }) => `${id} (key manager ${instanceId})`).join(', ')}`,
    })
  }
  if (refusal) throw refusal
  throw new Failure('notFound', `there is no key ${text} in this account`, { next: 'keyward keys list --all' })
}

async function keyByCrn(session: Session, text: string): Promise<FoundKey> {
  const crn = keyCrn(text)
  if (crn.accountId !== session.accountId) {
    throw new Failure('denied', `this key is of account ${crn.accountId}: only that account acts on it`, {
      next: `keyward explain ${text}`,
    })
  }
  if (crn.serviceInstance === '') return await findKey(session, crn.resource)
  return await keyById(session, crn.serviceInstance, crn.resource)
}

async function keyById(session: Session, instanceId: string, id: string): Promise<FoundKey> {
  const { resources } = await session.call('kms', 'getKeyMetadata', { headers: inInstance(instanceId), path: { id } })
  return foundOf(instanceId, resources[0] ?? { type: '', id })
}

/** Names, aliases and ids, looked through by the server, which does not regard case. */
async function keysCalled(session: Session, instanceId: string, text: string): Promise<FoundKey[]> {
  const { resources } = await session.call('kms', 'listKeys', {
    headers: inInstance(instanceId),
    query: { search: `exact:escape:${text}`, state: everyState, limit: searchMost },
  })
  return resources
    .filter(({ id, name, aliases }) => id === text || name === text || aliases?.includes(text))
    .map((key) => foundOf(instanceId, key))
}

const foundOf = (instanceId: string, key: Key): FoundKey => ({
  id: key.id,
  name: key.name ?? key.id,
  // The metadata of an alias has the id of its key.
  instanceId: parseCrn(key.crn ?? '')?.serviceInstance ?? instanceId,
  key,
})

export function keyCrn(text: string) {
  const crn = keyOfCrn(text)
  if (crn) return crn
  const problem = crnProblem(text) ?? ''
  throw new Failure('usage', `${problem.charAt(0).toLowerCase()}${problem.slice(1)}`)
}

/** For what takes any account's key: its CRN as it is, or that of a key of this account. */
export async function crnOfKey(session: Session, text: string, keyManager?: string): Promise<string> {
  if (text.startsWith('crn:')) {
    keyCrn(text)
    return text
  }
  const { key } = await findKey(session, text, keyManager)
  return key.crn ?? ''
}
