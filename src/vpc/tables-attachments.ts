// SQL of attachments, for requests and for the end of what they began. An attachment belongs to its instance: a grant
// on the instance is leave for it.

import type { AttachmentId, InstanceId, VolumeId } from '#base/id.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VpcTables } from '#store/schema/vpc.ts'
import { attachmentIdText, instanceIdText } from './ids.ts'
import type { Attachment, AttachmentEnds, AttachmentView } from './instance.ts'
import type { DeleteInstance, ReadInstance, UpdateInstance } from './tables-instances.ts'
import { servedStatuses } from './instance-state.ts'
import { toVolume } from './tables-volumes.ts'
import type { Volume } from './volume.ts'

type InstanceGrant = ReadInstance | UpdateInstance | DeleteInstance

const views = (reads: Reads) =>
  reads
    .selectFrom('vpc_attachment as a')
    .innerJoin('vpc_instance as i', 'i.id', 'a.instance_id')
    .innerJoin('vpc_volume as v', 'v.id', 'a.volume_id')
    .select(['a.id', 'a.account_id as accountId', 'a.instance_id as instanceId', 'a.volume_id as volumeId', 'a.name'])
    .select(['a.type', 'a.delete_volume', 'a.status', 'a.created_at as createdAt'])
    .select(['i.crn as instanceCrn', 'i.name as instanceName', 'v.crn as volumeCrn', 'v.name as volumeName'])
    .select(['i.status as instanceStatus', 'v.bandwidth_mbps', 'v.phase', 'v.key_standing'])

type ViewRow = Awaited<ReturnType<ReturnType<typeof views>['executeTakeFirstOrThrow']>>

function toView(row: ViewRow): AttachmentView {
  return {
    id: row.id,
    accountId: row.accountId,
    instanceId: row.instanceId,
    volumeId: row.volumeId,
    name: row.name,
    type: row.type,
    deleteVolume: row.delete_volume === 1,
    status: row.status,
    createdAt: row.createdAt,
    instance: { crn: row.instanceCrn, id: row.instanceId, name: row.instanceName, status: row.instanceStatus },
    volume: {
      crn: row.volumeCrn,
      id: row.volumeId,
      name: row.volumeName,
      bandwidthMbps: row.bandwidth_mbps,
      phase: row.phase,
      keyStanding: row.key_standing,
    },
  }
}

const instanceOf = (grant: InstanceGrant): InstanceId => instanceIdText(grant.target.resource ?? '')

/** The attachments of the granted instances, oldest first. */
export async function readAttachments(reads: Reads, grants: readonly InstanceGrant[]): Promise<AttachmentView[]> {
  const [first] = grants
  if (!first) return []
  const rows = await views(reads)
    .where('a.instance_id', 'in', grants.map(instanceOf))
    .where('a.account_id', '=', first.target.accountId)
    .orderBy('a.created_at')
    .orderBy('a.id')
    .execute()
  return rows.map(toView)
}

export async function readAttachment(reads: Reads, grant: InstanceGrant, id: string): Promise<AttachmentView | null> {
  const row = await views(reads)
    .where('a.id', '=', attachmentIdText(id))
    .where('a.instance_id', '=', instanceOf(grant))
    .where('a.account_id', '=', grant.target.accountId)
    .executeTakeFirst()
  return row ? toView(row) : null
}

/** How volumes that have been read by leave are attached: part of what a volume shows of itself. */
export async function attachmentsOf(
  reads: Reads,
  volumes: readonly Pick<Volume, 'id'>[],
): Promise<Map<VolumeId, AttachmentView>> {
  if (volumes.length === 0) return new Map()
  const ids = volumes.map((volume) => volume.id)
  const rows = await views(reads).where('a.volume_id', 'in', ids).execute()
  return new Map(rows.map((row) => [row.volumeId, toView(row)]))
}

/** False when the volume has an attachment already: the unique index decides. */
export async function insertAttachment(tx: Tx, grant: Grant, attachment: Attachment): Promise<boolean> {
  const row: VpcTables['vpc_attachment'] = {
    id: attachment.id,
    account_id: grant.target.accountId,
    instance_id: attachment.instanceId,
    volume_id: attachment.volumeId,
    name: attachment.name,
    type: attachment.type,
    delete_volume: attachment.deleteVolume ? 1 : 0,
    status: attachment.status,
    created_at: attachment.createdAt,
  }
  const result = await tx
    .insertInto('vpc_attachment')
    .values(row)
    .onConflict((c) => c.column('volume_id').doNothing())
    .executeTakeFirst()
  return Number(result.numInsertedOrUpdatedRows ?? 0) === 1
}

/** False when it has gone, or is going. */
export async function updateAttachment(
  tx: Tx,
  grant: UpdateInstance,
  id: AttachmentId,
  change: { readonly name?: string; readonly deleteVolume?: boolean },
): Promise<boolean> {
  const { name, deleteVolume } = change
  const result = await tx
    .updateTable('vpc_attachment')
    .set({
      ...(name !== undefined && { name }),
      ...(deleteVolume !== undefined && { delete_volume: deleteVolume ? 1 : 0 }),
    })
    .where('id', '=', id)
    .where('instance_id', '=', instanceOf(grant))
    .where('status', '!=', 'detaching')
    .executeTakeFirst()
  return Number(result.numUpdatedRows) === 1
}

/** False when it was on its way out before, or has gone. */
export async function requestDetach(
  tx: Tx,
  grant: UpdateInstance | DeleteInstance,
  id: AttachmentId,
): Promise<boolean> {
  const result = await tx
    .updateTable('vpc_attachment')
    .set({ status: 'detaching' })
    .where('id', '=', id)
    .where('instance_id', '=', instanceOf(grant))
    .where('status', '!=', 'detaching')
    .executeTakeFirst()
  return Number(result.numUpdatedRows) === 1
}

// For background work: what a granted request began is finished, in every account.

export interface AttachmentWork {
  readonly attachment: AttachmentView
  readonly volume: Volume
}

/** Every attachment with its volume, those that change first: somebody waits for them. */
export async function attachmentsToServe(reads: Reads, region: string): Promise<AttachmentWork[]> {
  const attachments = (await views(reads).where('i.region', '=', region).execute()).map(toView)
  const rows = await reads
    .selectFrom('vpc_volume')
    .selectAll()
    .where('region', '=', region)
    .where('id', 'in', reads.selectFrom('vpc_attachment').select('volume_id'))
    .execute()
  const volumes = new Map(rows.map((row) => [row.id, toVolume(row)]))
  return attachments
    .flatMap((attachment) => {
      const volume = volumes.get(attachment.volumeId)
      return volume ? [{ attachment, volume }] : []
    })
    .toSorted((a, b) => Number(a.attachment.status === 'attached') - Number(b.attachment.status === 'attached'))
}

export async function attachmentsOfInstance(reads: Reads, id: InstanceId): Promise<AttachmentView[]> {
  return (await views(reads).where('a.instance_id', '=', id).orderBy('a.created_at').execute()).map(toView)
}

/** Of instances that have been read by leave, oldest first. */
export async function attachmentsOfInstances(reads: Reads, ids: readonly InstanceId[]): Promise<AttachmentView[]> {
  if (ids.length === 0) return []
  const rows = await views(reads).where('a.instance_id', 'in', ids).orderBy('a.created_at').orderBy('a.id').execute()
  return rows.map(toView)
}

/** Whether at this moment the attachment is there and its instance is on. */
export async function isToBeServed(reads: Reads, id: AttachmentId): Promise<boolean> {
  const row = await reads
    .selectFrom('vpc_attachment as a')
    .innerJoin('vpc_instance as i', 'i.id', 'a.instance_id')
    .select('a.id')
    .where('a.id', '=', id)
    .where('a.status', '!=', 'detaching')
    .where('i.status', 'in', servedStatuses)
    .executeTakeFirst()
  return row !== undefined
}

/** Running instances of which a volume has lost its key for good. */
export async function instancesOfDeletedKeys(
  reads: Reads,
  region: string,
): Promise<(AttachmentEnds['instance'] & { readonly accountId: string })[]> {
  const rows = await views(reads)
    .where('i.region', '=', region)
    .where('i.status', '=', 'running')
    .where('v.key_standing', '=', 'deleted')
    .execute()
  return rows.map(toView).map(({ accountId, instance }) => ({ accountId, ...instance }))
}

/** False when it was not waiting to be attached. */
export async function markAttached(tx: Tx, id: AttachmentId): Promise<boolean> {
  const result = await tx
    .updateTable('vpc_attachment')
    .set({ status: 'attached' })
    .where('id', '=', id)
    .where('status', '=', 'attaching')
    .executeTakeFirst()
  return Number(result.numUpdatedRows) === 1
}

/** False when it was not on its way out, or has gone. */
export async function removeAttachment(tx: Tx, id: AttachmentId): Promise<boolean> {
  const result = await tx
    .deleteFrom('vpc_attachment')
    .where('id', '=', id)
    .where('status', '=', 'detaching')
    .executeTakeFirst()
  return Number(result.numDeletedRows) === 1
}
