// SQL of lists of snapshots and consistency groups: one page is read, and not what the account has (tables-pages.ts).

import { sql } from 'kysely'
import type { Reads } from '#store/database.ts'
import { snapshotGroupIdText, volumeIdText } from './ids.ts'
import { contains, countRows, inOrder, never, placeColumns } from './tables-pages.ts'
import type { At, Selection, Within } from './tables-pages.ts'
import { hiddenPhases } from './volume-state.ts'

/** What lists of snapshots are narrowed by; absent members narrow nothing. */
export interface SnapshotFilter {
  readonly name?: string | undefined
  readonly resourceGroupId?: string | undefined
  /** In lower case. */
  readonly tag?: string | undefined
  readonly sourceVolumeId?: string | undefined
  readonly sourceVolumeCrn?: string | undefined
  readonly sourceImageId?: string | undefined
  readonly groupId?: string | undefined
  readonly groupCrn?: string | undefined
  readonly cloneZone?: string | undefined
  /** Where nothing can match. */
  readonly hasNone?: boolean | undefined
}

function snapshots(reads: Reads, { accountId, region }: At, filter: SnapshotFilter) {
  const { name, resourceGroupId, tag, sourceVolumeId, sourceVolumeCrn, sourceImageId, groupId, groupCrn } = filter
  const { cloneZone, hasNone } = filter
  return reads
    .selectFrom('vpc_snapshot')
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .where('phase', 'not in', hiddenPhases)
    .$if(name !== undefined, (q) => q.where('name', '=', name ?? ''))
    .$if(resourceGroupId !== undefined, (q) => q.where('resource_group_id', '=', resourceGroupId ?? ''))
    .$if(tag !== undefined, (q) => q.where(contains('user_tags', JSON.stringify(tag))))
    .$if(sourceVolumeId !== undefined, (q) => q.where('source_volume_id', '=', volumeIdText(sourceVolumeId ?? '')))
    .$if(sourceVolumeCrn !== undefined, (q) => q.where('source_volume_crn', '=', sourceVolumeCrn ?? ''))
    .$if(sourceImageId !== undefined, (q) => q.where('image_id', '=', sourceImageId ?? ''))
    .$if(groupId !== undefined, (q) => q.where('group_id', '=', snapshotGroupIdText(groupId ?? '')))
    .$if(groupCrn !== undefined, (q) =>
      q.where(sql<boolean>`group_id in (select id from vpc_snapshot_group where crn = ${groupCrn})`),
    )
    .$if(cloneZone !== undefined, (q) =>
      q.where(sql<boolean>`id in (select snapshot_id from vpc_snapshot_clone where zone = ${cloneZone})`),
    )
    .$if(hasNone === true, (q) => q.where(never))
}

export const pageOfSnapshots = (reads: Reads, at: At, filter: SnapshotFilter, selection: Selection) =>
  inOrder(snapshots(reads, at, filter), selection)
    .select(placeColumns)
    .select('name')
    .execute()

export const countListedSnapshots = (reads: Reads, at: At, filter: SnapshotFilter, within: Within): Promise<number> =>
  countRows(snapshots(reads, at, filter), within)

export interface GroupFilter {
  readonly name?: string | undefined
  readonly resourceGroupId?: string | undefined
  readonly hasNone?: boolean | undefined
}

const groups = (reads: Reads, { accountId, region }: At, { name, resourceGroupId, hasNone }: GroupFilter) =>
  reads
    .selectFrom('vpc_snapshot_group')
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .where('phase', '!=', 'requested')
    .$if(name !== undefined, (q) => q.where('name', '=', name ?? ''))
    .$if(resourceGroupId !== undefined, (q) => q.where('resource_group_id', '=', resourceGroupId ?? ''))
    .$if(hasNone === true, (q) => q.where(never))

export const pageOfGroups = (reads: Reads, at: At, filter: GroupFilter, selection: Selection) =>
  inOrder(groups(reads, at, filter), selection)
    .select(placeColumns)
    .select('name')
    .execute()

export const countListedGroups = (reads: Reads, at: At, filter: GroupFilter, within: Within): Promise<number> =>
  countRows(groups(reads, at, filter), within)
