// The collections of what is only written down: how a request gets leave on one of them, and how they are listed, made,
// renamed and removed. What is particular to a kind lies in its own file.

import { Fault } from '#base/fault.ts'
import type { Event } from '#events/event.ts'
import type { Context, Grant } from '#iam/port.ts'
import type { Tx } from '#store/database.ts'
import type { RecordKind } from '#store/schema/vpc.ts'
import { groupForNew } from './groups.ts'
import { listPage } from './listing.ts'
import { checkName, makeName, nameDrawsMax } from './names.ts'
import { pageLinks } from './page.ts'
import type { PageRequest } from './page.ts'
import type { VpcParts } from './parts.ts'
import type { Recorded } from './record.ts'
import {
  countListedRecords,
  deleteRecord,
  insertRecord,
  isRecordNameTaken,
  locateRecord,
  pageOfRecords,
  readRecord,
  readRecords,
  updateRecord,
} from './tables-records.ts'
import type { RecordFilter } from './tables-records.ts'
import type { Selection, Within } from './tables-pages.ts'
import { newTarget, targetOf } from './targets.ts'
import type { Kind } from './targets.ts'

export interface Collection<K extends RecordKind & Kind> {
  readonly kind: K
  /** Before the verb: `is.vpc.vpc`. */
  readonly action: string
  /** The member of a page, and the path after `/v1/`. */
  readonly plural: string
  readonly words: string
  readonly nameTakenCode: string
}

export const collections = {
  key: {
    kind: 'key',
    action: 'is.key.key',
    plural: 'keys',
    words: 'key',
    nameTakenCode: 'key_name_exists',
  },
  vpc: {
    kind: 'vpc',
    action: 'is.vpc.vpc',
    plural: 'vpcs',
    words: 'VPC',
    nameTakenCode: 'validation_unique_failed',
  },
  subnet: {
    kind: 'subnet',
    action: 'is.subnet.subnet',
    plural: 'subnets',
    words: 'subnet',
    nameTakenCode: 'validation_unique_failed',
  },
  securityGroup: {
    kind: 'security-group',
    action: 'is.security-group.security-group',
    plural: 'security_groups',
    words: 'security group',
    nameTakenCode: 'validation_unique_failed',
  },
  virtualInterface: {
    kind: 'virtual-network-interface',
    action: 'is.virtual-network-interface.virtual-network-interface',
    plural: 'virtual_network_interfaces',
    words: 'virtual network interface',
    nameTakenCode: 'validation_unique_failed',
  },
} as const satisfies Record<string, Collection<RecordKind & Kind>>

type Verb = 'create' | 'read' | 'list' | 'update' | 'delete' | 'operate'

/** Leave on one thing by its path. Another account's reads as one that does not exist. */
export async function recordGrant<K extends RecordKind & Kind>(
  parts: VpcParts,
  context: Context,
  { kind, action, words }: Collection<K>,
  verb: Verb,
  id: string,
): Promise<Grant> {
  const at = { accountId: context.caller.accountId, region: parts.region, id }
  const place = await locateRecord(parts.database.reads, kind, at)
  if (!place) throw recordNotFound(words, id)
  return await parts.iam.authorize(context.caller, `${action}.${verb}`, targetOf(kind, place))
}

/** Leave on a thing that a body points at, and the thing; one that the account does not have is a wrong value, 400. */
export async function referred<K extends RecordKind & Kind>(
  parts: VpcParts,
  context: Context,
  collection: Collection<K>,
  id: string,
  field: string,
): Promise<Recorded<K>> {
  const { kind, action, words } = collection
  const at = { accountId: context.caller.accountId, region: parts.region, id }
  const place = await locateRecord(parts.database.reads, kind, at)
  if (!place) throw wrongReference(words, id, field)
  const grant = await parts.iam.authorize(context.caller, `${action}.operate`, targetOf(kind, place))
  const found = await readRecord(parts.database.reads, kind, grant)
  if (!found) throw wrongReference(words, id, field)
  return found
}

/** The thing of the path, by leave for the verb. */
export async function readOne<K extends RecordKind & Kind>(
  parts: VpcParts,
  context: Context,
  collection: Collection<K>,
  verb: Verb,
  id: string,
): Promise<{ readonly grant: Grant; readonly found: Recorded<K> }> {
  const grant = await recordGrant(parts, context, collection, verb, id)
  const found = await readRecord(parts.database.reads, collection.kind, grant)
  if (!found) throw recordNotFound(collection.words, id)
  return { grant, found }
}

/** Leave to make one, in the group named or the default one. */
export async function leaveToMake<K extends RecordKind & Kind>(
  parts: VpcParts,
  context: Context,
  { kind, action }: Collection<K>,
  groupId: string | undefined,
): Promise<{ readonly grant: Grant; readonly resourceGroupId: string }> {
  const { accountId } = context.caller
  const group = await groupForNew(parts.resources, kind, accountId, groupId ?? null)
  const place = { accountId, region: parts.region, resourceGroupId: group.id }
  const grant = await parts.iam.authorize(context.caller, `${action}.create`, newTarget(kind, place))
  return { grant, resourceGroupId: group.id }
}

/** One page of what the caller may see: the things, and everything about the page but them. */
export async function listRecords<K extends RecordKind & Kind>(
  parts: VpcParts,
  context: Context,
  { kind, action, plural }: Collection<K>,
  query: PageRequest & Readonly<Record<string, unknown>>,
  filter: RecordFilter = {},
) {
  const { reads } = parts.database
  const at = { accountId: context.caller.accountId, region: parts.region }
  const listed = {
    kind,
    action: `${action}.list`,
    locate: (selection: Selection) => pageOfRecords(reads, kind, at, filter, selection),
    count: (within: Within) => countListedRecords(reads, kind, at, filter, within),
  }
  const { page, leave } = await listPage(parts, context, listed, query)
  const { version: _version, generation: _generation, ...filters } = query
  const items = await readRecords(reads, kind, leave)
  return { items, links: pageLinks(page, `${context.baseUrl}/v1/${plural}`, filters) }
}

/** Writes it down under the name that was asked for, or under one that is drawn until it is free. */
export async function insertNamed(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: Grant,
  wanted: Omit<Recorded, 'name'> & { readonly name: string | null; readonly nameTakenCode: string },
): Promise<string> {
  const { name: asked, nameTakenCode, ...rest } = wanted
  for (let draw = 0; draw < nameDrawsMax; draw++) {
    const name = asked ?? makeName(parts.random)
    if (await insertRecord(tx, grant, { ...rest, name })) {
      await parts.outbox.append(tx, recordEvent('vpc.record.created', context, { ...rest, name }))
      return name
    }
    if (asked !== null) throw recordNameTaken(asked, nameTakenCode)
  }
  throw new Fault('unavailable', 'no free name was found')
}

export async function rename(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: Grant,
  change: { readonly found: Recorded; readonly name: string; readonly nameTakenCode: string },
): Promise<void> {
  const { found, name, nameTakenCode } = change
  if (await isRecordNameTaken(tx, found, name)) throw recordNameTaken(name, nameTakenCode)
  await updateRecord(tx, grant, found, { name })
  await parts.outbox.append(tx, recordEvent('vpc.record.updated', context, { ...found, name }))
}

/** What kinds do of which only the name changes: the thing of the path, under the name that the body asks for. */
export async function renameOne<K extends RecordKind & Kind>(
  parts: VpcParts,
  context: Context,
  collection: Collection<K>,
  id: string,
  body: { readonly name?: string | undefined },
  check: (now: Recorded<K>) => void = () => {},
): Promise<Recorded<K>> {
  const { grant } = await readOne(parts, context, collection, 'update', id)
  const { nameTakenCode } = collection
  const asked = body.name === undefined ? null : checkName(body.name)
  return await parts.database.transaction(async (tx) => {
    const found = await readRecord(tx, collection.kind, grant)
    if (!found) throw recordNotFound(collection.words, id)
    check(found)
    const name = asked ?? found.name
    if (name !== found.name) await rename(parts, tx, context, grant, { found, name, nameTakenCode })
    return { ...found, name }
  })
}

export async function removeOne(
  parts: VpcParts,
  tx: Tx,
  context: Context,
  grant: Grant,
  found: Recorded,
): Promise<void> {
  if (await deleteRecord(tx, grant, found.id)) {
    await parts.outbox.append(tx, recordEvent('vpc.record.deleted', context, found))
  }
}

const recordEvent = (
  type: 'vpc.record.created' | 'vpc.record.updated' | 'vpc.record.deleted',
  context: Context,
  { accountId, kind, id, name }: Recorded,
): Event => ({ type, accountId, initiatorId: context.caller.iamId, kind, recordId: id, name })

export const recordNotFound = (words: string, id: string): Fault =>
  new Fault('not_found', `${words} with id ${JSON.stringify(id.slice(0, 64))} is not found`)

const wrongReference = (words: string, id: string, field: string): Fault =>
  new Fault('invalid', `${words} with id ${JSON.stringify(id.slice(0, 64))} is not found`, {
    reason: 'validation_invalid_ref',
    target: { type: 'field', name: field },
  })

export const recordNameTaken = (name: string, reason: string): Fault =>
  new Fault('invalid', `Provided Name (${name}) is not unique`, { reason, target: { type: 'field', name: 'name' } })
