// From what somebody calls a volume, an instance, a snapshot or an image to the thing: a name, an id or a CRN. VPC keeps
// names unique in an account and a region, so a name is as good as an id.

import { parseCrn } from '#base/crn.ts'
import type { Answer } from '#client/operations.ts'
import { Failure } from './failure.ts'
import type { Session } from './session.ts'

export type Volume = Answer<'vpc', 'getVolume'>
export type Instance = Answer<'vpc', 'getInstance'>
export type Snapshot = Answer<'vpc', 'getSnapshot'>
export type Image = Answer<'vpc', 'getImage'>

/** VPC API, "Identifiers": a region or zone in front, a UUID behind. */
const isId = (text: string): boolean =>
  /^[0-9a-z-]{4,}[-_][0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/.test(text)

async function find<Thing>(
  session: Session,
  what: { readonly text: string; readonly noun: string },
  byId: (id: string) => Promise<Thing>,
  byName: (name: string) => Promise<readonly Thing[]>,
): Promise<Thing> {
  const { text, noun } = what
  if (text.startsWith('crn:')) {
    const crn = parseCrn(text)
    if (!crn || crn.serviceName !== 'is' || crn.resourceType !== noun) {
      throw new Failure('usage', `that is no CRN of a ${noun}`)
    }
    if (crn.accountId !== session.accountId) {
      throw new Failure('denied', `this ${noun} is of account ${crn.accountId}, and you are of ${session.accountId}`, {
        next: 'choose a target of that account: keyward target',
      })
    }
    return await byId(crn.resource)
  }
  if (isId(text)) return await byId(text)
  const [found] = await byName(text)
  if (found) return found
  throw new Failure('notFound', `there is no ${noun} ${text} in this account`, { next: `keyward ${noun}s list` })
}

export const findVolume = (session: Session, text: string): Promise<Volume> =>
  find(
    session,
    { text, noun: 'volume' },
    (id) => session.call('vpc', 'getVolume', { path: { id } }),
    async (name) => (await session.call('vpc', 'listVolumes', { query: { name } })).volumes,
  )

export const findInstance = (session: Session, text: string): Promise<Instance> =>
  find(
    session,
    { text, noun: 'instance' },
    (id) => session.call('vpc', 'getInstance', { path: { id } }),
    async (name) => (await session.call('vpc', 'listInstances', { query: { name } })).instances,
  )

export const findSnapshot = (session: Session, text: string): Promise<Snapshot> =>
  find(
    session,
    { text, noun: 'snapshot' },
    (id) => session.call('vpc', 'getSnapshot', { path: { id } }),
    async (name) => (await session.call('vpc', 'listSnapshots', { query: { name } })).snapshots,
  )

export const findImage = (session: Session, text: string): Promise<Image> =>
  find(
    session,
    { text, noun: 'image' },
    (id) => session.call('vpc', 'getImage', { path: { id } }),
    async (name) => (await session.call('vpc', 'listImages', { query: { name } })).images,
  )
