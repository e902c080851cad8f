// Tags of three types on resources of any service. Source: Global Tagging API v1. User and service tags exist once they
// are attached; an access tag is created first. Names are the account's and every member of it may list them.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { accessTagsPerAccountMax, tagsPerResourceMax } from '#base/limits.ts'
import type { Event } from '#events/event.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Caller, Context, Grant, IamPort, Target } from '#iam/port.ts'
import type { Database, Tx } from '#store/database.ts'
import type { KnownResources } from './known-resources.ts'
import type { SearchableResource } from './port.ts'
import { keyOf } from './tag-name.ts'
import type { TagType } from './tag-name.ts'
import {
  countTags,
  deleteTag,
  deleteTaggings,
  insertTaggings,
  insertTags,
  selectTaggings,
  selectTags,
  selectTagsNamed,
  selectUnusedTags,
} from './tables-tags.ts'
import type { TagPage } from './tables-tags.ts'

export interface TagRequest {
  readonly type: TagType
  readonly accountId: string | undefined
}

export interface TagListing extends TagRequest {
  readonly attachedTo: string | undefined
  readonly attachedOnly: boolean
  readonly direction: 'asc' | 'desc'
  readonly offset: number
  readonly limit: number
}

export interface Tagging extends TagRequest {
  readonly names: readonly string[]
  readonly crns: readonly string[]
}

/** `replace`: no other tags stay. `update`: no other tag of the same key stays. */
export type AttachMode = 'add' | 'replace' | 'update'

/** Null where it was done; otherwise the sentence that says why it was not. */
export interface TagOutcome {
  readonly subject: string
  readonly problem: string | null
}

export type Tags = ReturnType<typeof makeTags>

export function makeTags(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly iam: IamPort
  readonly knownResources: KnownResources
}) {
  const { database, outbox, clock, iam, knownResources } = parts

  async function list({ caller }: Context, listing: TagListing): Promise<TagPage> {
    const kind = kindOf(caller, listing)
    if (listing.attachedTo === undefined) return await selectTags(database.reads, kind, listing)
    const rows = await selectTaggings(database.reads, kind.accountId, listing.attachedTo)
    const names = rows.filter((row) => row.type === kind.type).map((row) => row.name)
    if (listing.direction === 'desc') names.reverse()
    return { names: names.slice(listing.offset, listing.offset + listing.limit), totalCount: names.length }
  }

  /** Global Tagging API, "Create an access management tag": the other types come with the first resource. */
  async function create({ caller }: Context, request: TagRequest, names: readonly string[]): Promise<TagOutcome[]> {
    const kind = kindOf(caller, request)
    if (request.type !== 'access') throw new Fault('invalid', 'only access tags are created', parameter('tag_type'))
    const grant = await iam.authorize(caller, 'global-search-tagging.tag.create-access-tag', accountTarget(kind))
    return await database.transaction(async (tx) => {
      const made = await insertTags(tx, grant, kind, names, clock.now())
      if ((await countTags(tx, kind)) > accessTagsPerAccountMax) {
        throw new Fault('over_limit', `an account has at most ${accessTagsPerAccountMax} access tags`)
      }
      if (made.length > 0) await tell(tx, caller, { type: 'resources.tag.created', tagType: kind.type, names: made })
      return names.map((name) => ({ subject: name, problem: made.includes(name) ? null : 'tag exists already' }))
    })
  }

  async function attach(context: Context, tagging: Tagging, mode: AttachMode): Promise<readonly TagOutcome[]> {
    const kind = kindOf(context.caller, tagging)
    const action = `global-search-tagging.tag.attach-${tagging.type}-tag` as const
    return await each(context, tagging, action, async (tx, grant, { crn }) => {
      const { names } = tagging
      if (kind.type === 'access') await checkExist(tx, kind, names)
      else await insertTags(tx, grant, kind, names, clock.now())
      const there = (await selectTaggings(tx, kind.accountId, crn)).filter((row) => row.type === kind.type)
      const gone = there.map((row) => row.name).filter((name) => !names.includes(name) && isReplaced(name, names, mode))
      const fresh = names.filter((name) => !there.some((row) => row.name === name))
      if (there.length - gone.length + fresh.length > tagsPerResourceMax) throw tooMany()
      if (gone.length > 0) await detachFrom(tx, grant, context.caller, tagging.type, crn, gone)
      if (fresh.length === 0) return
      await insertTaggings(tx, grant, kind, crn, fresh)
      const event = { type: 'resources.tag.attached', tagType: kind.type, names: fresh, resourceCrn: crn } as const
      await tell(tx, context.caller, event)
    })
  }

  async function detach(context: Context, tagging: Tagging): Promise<readonly TagOutcome[]> {
    const kind = kindOf(context.caller, tagging)
    const action = `global-search-tagging.tag.detach-${tagging.type}-tag` as const
    return await each(context, tagging, action, async (tx, grant, { crn }) => {
      const there = (await selectTaggings(tx, kind.accountId, crn)).filter((row) => row.type === kind.type)
      const gone = there.map((row) => row.name).filter((name) => tagging.names.includes(name))
      if (gone.length > 0) await detachFrom(tx, grant, context.caller, tagging.type, crn, gone)
    })
  }

  async function detachFrom(
    tx: Tx,
    grant: Grant,
    caller: Caller,
    tagType: TagType,
    resourceCrn: string,
    names: readonly string[],
  ): Promise<void> {
    await deleteTaggings(tx, grant, { accountId: caller.accountId, type: tagType }, resourceCrn, names)
    await tell(tx, caller, { type: 'resources.tag.detached', tagType, names, resourceCrn })
  }

  /** Resource by resource, each in a transaction of its own: one that cannot be tagged holds up no other. */
  async function each(
    { caller }: Context,
    { crns }: Tagging,
    action: string,
    work: (tx: Tx, grant: Grant, resource: SearchableResource) => Promise<void>,
  ): Promise<readonly TagOutcome[]> {
    const outcomes: TagOutcome[] = []
    for (const crn of crns) {
      try {
        const resource = await knownResources.named(caller.accountId, crn)
        if (!resource) throw new Fault('not_found', 'resource does not exist in this account')
        const grant = await iam.authorize(caller, action, resource.target)
        await database.transaction((tx) => work(tx, grant, resource))
        outcomes.push({ subject: crn, problem: null })
      } catch (error) {
        if (!(error instanceof Fault)) throw error
        outcomes.push({ subject: crn, problem: error.message })
      }
    }
    return outcomes
  }

  async function checkExist(tx: Tx, kind: { accountId: string; type: TagType }, names: readonly string[]) {
    const there = await selectTagsNamed(tx, kind, names)
    const missing = names.filter((name) => !there.has(name))
    if (missing.length > 0) throw new Fault('invalid', `access tags that do not exist: ${missing.join(', ')}`)
  }

  /** "A tag can be deleted only if it is not attached to any resource." */
  async function remove({ caller }: Context, request: TagRequest, name: string): Promise<TagOutcome> {
    const kind = kindOf(caller, request)
    const action = `global-search-tagging.tag.delete-${request.type}-tag` as const
    const grant = await iam.authorize(caller, action, accountTarget(kind))
    return await database.transaction(async (tx) => {
      if (!(await selectTagsNamed(tx, kind, [name])).has(name)) return { subject: name, problem: 'tag does not exist' }
      const isUnused = (await selectUnusedTags(tx, kind)).includes(name)
      if (!isUnused) return { subject: name, problem: 'tag is attached to a resource' }
      await deleteTag(tx, grant, kind, name)
      await tell(tx, caller, { type: 'resources.tag.deleted', tagType: kind.type, names: [name] })
      return { subject: name, problem: null }
    })
  }

  /** Those that no resource carries. */
  async function removeUnused({ caller }: Context, request: TagRequest): Promise<readonly string[]> {
    const kind = kindOf(caller, request)
    const action = `global-search-tagging.tag.delete-${request.type}-tag` as const
    const grant = await iam.authorize(caller, action, accountTarget(kind))
    return await database.transaction(async (tx) => {
      const names = await selectUnusedTags(tx, kind)
      for (const name of names) await deleteTag(tx, grant, kind, name)
      if (names.length > 0) await tell(tx, caller, { type: 'resources.tag.deleted', tagType: kind.type, names })
      return names
    })
  }

  type TagEvent = Extract<Event, { type: `resources.tag.${string}` }>
  type About<E> = E extends Event ? Omit<E, 'accountId' | 'initiatorId'> : never

  const tell = (tx: Tx, { accountId, iamId }: Caller, event: About<TagEvent>): Promise<void> =>
    outbox.append(tx, { ...event, accountId, initiatorId: iamId })

  return { list, create, attach, detach, remove, removeUnused }
}

function isReplaced(name: string, names: readonly string[], mode: AttachMode): boolean {
  if (mode !== 'update') return mode === 'replace'
  const key = keyOf(name)
  return key !== null && names.some((other) => keyOf(other) === key)
}

/** "account_id is a required parameter if tag_type is set to service"; it is always the caller's own. */
function kindOf({ accountId }: Caller, request: TagRequest): { accountId: string; type: TagType } {
  if (request.accountId === undefined && request.type === 'service') {
    throw new Fault('invalid', 'account_id is required for service tags', parameter('account_id'))
  }
  if (request.accountId !== undefined && request.accountId !== accountId) {
    throw new Fault('not_found', 'account does not exist')
  }
  return { accountId, type: request.type }
}

const accountTarget = ({ accountId }: { accountId: string }): Target => ({
  accountId,
  serviceName: 'global-search-tagging',
})

const parameter = (name: string) => ({ target: { type: 'parameter', name } as const })

const tooMany = (): Fault => new Fault('over_limit', `a resource has at most ${tagsPerResourceMax} tags of a type`)
