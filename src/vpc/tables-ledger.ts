// SQL of what volumes, snapshots and custom images have to do with keys, across accounts, and of its history. No grant: nothing of it
// reaches a tenant but through the ledger, which asks.

import type { Revocation } from '#kms/port.ts'
import type { Reads, Tx } from '#store/database.ts'
import type { VolumePhase } from '#store/schema/vpc.ts'
import type { KeyOfResources, ProvableResource, ResourceFacts } from './port.ts'
import { imageStateOf } from './image-state.ts'
import { shownStatus } from './run-on.ts'
import type { Attached } from './run-on.ts'
import { snapshotStateOf } from './snapshot-state.ts'
import { secondKeys } from './tables-reencryptions.ts'
import { keyedTables, like } from './tables-keyed.ts'
import type { KeyedTable } from './tables-keyed.ts'
import { hiddenPhases } from './volume-state.ts'
import type { VolumeTruth } from './volume-state.ts'

/** What of them is shown to who owns its key. */
export interface KeyedNow extends VolumeTruth {
  readonly resourceCrn: string
  readonly accountId: string
  readonly sizeGb: number
  readonly isAttached: boolean
  /** As its own API says it. */
  statusOf(truth: VolumeTruth): string
}

type StatusIn = (truth: VolumeTruth, setting: { readonly revocation: Revocation }, attachment: Attached) => string

const statusIn: Readonly<Record<KeyedTable, StatusIn>> = {
  vpc_volume: (truth, setting, attachment) => shownStatus(setting, truth, attachment),
  vpc_snapshot: snapshotStateOf,
  vpc_image: imageStateOf,
}

const inAll = async <Row>(read: (table: KeyedTable) => Promise<readonly Row[]>): Promise<readonly Row[]> =>
  (await Promise.all(keyedTables.map(read))).flat()

export const keyedByCrn = (
  reads: Reads,
  crns: readonly string[],
  revocation: Revocation,
): Promise<readonly KeyedNow[]> => inAll((table) => inTable(reads, table, crns, revocation))

async function inTable(
  reads: Reads,
  table: KeyedTable,
  crns: readonly string[],
  revocation: Revocation,
): Promise<readonly KeyedNow[]> {
  if (crns.length === 0) return []
  const rows = await reads
    .selectFrom(like(table))
    .select(['id', 'crn', 'account_id', 'capacity_gb', 'phase', 'key_standing'])
    .where('crn', 'in', crns)
    .where('phase', 'not in', hiddenPhases)
    .execute()
  const attachments = await attachmentsAmong(
    reads,
    rows.map((row) => row.id),
  )
  return rows.map((row) => ({
    resourceCrn: row.crn,
    accountId: row.account_id,
    sizeGb: row.capacity_gb,
    isAttached: attachments.has(row.id),
    phase: row.phase,
    keyStanding: row.key_standing,
    statusOf: (truth) => statusIn[table](truth, { revocation }, attachments.get(row.id)),
  }))
}

/** Ids of all kinds are unique together; only volumes are attached. */
async function attachmentsAmong(reads: Reads, ids: readonly string[]): Promise<ReadonlyMap<string, Attached>> {
  if (ids.length === 0) return new Map()
  const rows = await reads
    .selectFrom('vpc_attachment as a')
    .innerJoin('vpc_instance as i', 'i.id', 'a.instance_id')
    .select(['a.volume_id', 'a.status', 'i.status as instance_status'])
    .where(({ eb, cast }) => eb(cast<string>('a.volume_id', 'text'), 'in', ids))
    .execute()
  return new Map(rows.map((row) => [row.volume_id, { status: row.status, instance: { status: row.instance_status } }]))
}

/** Notes what a reader of the ledger could see of the resource, where that is another than before. */
export async function writeHistory(tx: Tx, resourceCrn: string, revocation: Revocation, now: number): Promise<void> {
  const [resource] = await keyedByCrn(tx, [resourceCrn], revocation)
  const shown = resource && {
    capacity_gb: resource.sizeGb,
    status: resource.statusOf(resource),
    attached: Number(resource.isAttached),
  }
  const open = await tx
    .selectFrom('vpc_volume_history')
    .select(['seq', 'capacity_gb', 'status', 'attached'])
    .where('volume_crn', '=', resourceCrn)
    .where('until_at', 'is', null)
    .executeTakeFirst()
  const isSame =
    open?.capacity_gb === shown?.capacity_gb && open?.status === shown?.status && open?.attached === shown?.attached
  if (isSame) return
  if (open) await tx.updateTable('vpc_volume_history').set({ until_at: now }).where('seq', '=', open.seq).execute()
  if (!resource || !shown) return
  const row = { volume_crn: resourceCrn, account_id: resource.accountId, ...shown, from_at: now, until_at: null }
  await tx.insertInto('vpc_volume_history').values(row).execute()
}

export async function factsAt(reads: Reads, crns: readonly string[], at: number): Promise<readonly ResourceFacts[]> {
  if (crns.length === 0) return []
  const rows = await reads
    .selectFrom('vpc_volume_history')
    .select(['volume_crn as resourceCrn', 'capacity_gb as sizeGb', 'status', 'attached'])
    .where('volume_crn', 'in', crns)
    .where('from_at', '<=', at)
    .where(({ eb, or }) => or([eb('until_at', 'is', null), eb('until_at', '>', at)]))
    .execute()
  return rows.map(({ attached, ...row }) => ({ ...row, isAttached: attached === 1 }))
}

type Of = { readonly accountId: string } | { readonly keyCrn: string }

export async function keysOf(reads: Reads, of: Of): Promise<readonly KeyOfResources[]> {
  const rows = [...(await inAll((table) => keyRows(reads, table, of))), ...(await secondKeyRows(reads, of))]
  const groups = Map.groupBy(rows, (row) => `${row.key_crn} ${row.account_id}`)
  return [...groups.values()].flatMap((own) => {
    const [first] = own
    if (!first) return []
    return {
      keyCrn: first.key_crn,
      accountId: first.account_id,
      resourceCount: own.reduce((sum, row) => sum + Number(row.count), 0),
      since: Math.min(...own.map((row) => row.since)),
      versionIds: [...new Set(own.flatMap((row) => row.key_version_id ?? []))],
    }
  })
}

/** A volume between two keys is a resource of both. */
const secondKeyRows = async (reads: Reads, of: Of) =>
  (await secondKeys(reads, of))
    .filter(({ isProviderManaged, isInUse }) => !isProviderManaged && isInUse)
    .map((row) => ({
      key_crn: row.keyCrn,
      account_id: row.accountId,
      key_version_id: row.keyVersionId,
      count: 1,
      since: row.since,
    }))

const keyRows = async (reads: Reads, table: KeyedTable, of: Of) =>
  await reads
    .selectFrom(like(table))
    .select(['key_crn', 'account_id', 'key_version_id'])
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.min('created_at').as('since')])
    .where('provider_managed', '=', 0)
    .where('phase', 'not in', hiddenPhases)
    .where(({ eb }) => ('accountId' in of ? eb('account_id', '=', of.accountId) : eb('key_crn', '=', of.keyCrn)))
    .groupBy(['key_crn', 'account_id', 'key_version_id'])
    .execute()

interface PageOfResources {
  readonly region: string
  readonly afterId: string
  readonly limit: number
}

/** All kinds in one order: a page of each holds the page of all. */
export async function provableResources(reads: Reads, wanted: PageOfResources): Promise<readonly ProvableResource[]> {
  const rows = [
    ...(await inAll((table) => provableIn(reads, table, wanted))),
    ...(await provableSeconds(reads, wanted)),
  ]
  const sorted = rows.toSorted((a, b) => (a.volumeId < b.volumeId ? -1 : 1))
  // What a volume has is on one page, since the next one begins after its id; a shorter page would be taken for the last.
  const last = sorted[wanted.limit - 1]?.volumeId
  return sorted.filter(({ volumeId }, at) => at < wanted.limit || volumeId === last)
}

const provableSeconds = async (reads: Reads, { region, afterId }: PageOfResources) =>
  (await secondKeys(reads, { region, afterId })).map(
    (row): ProvableResource => ({
      volumeId: row.volumeId,
      resourceCrn: row.resourceCrn,
      accountId: row.accountId,
      keyCrn: row.keyCrn,
      keyVersionId: row.keyVersionId,
      registration: row.isInUse ? 'expected' : 'possible',
      image: 'possible',
    }),
  )

async function provableIn(
  reads: Reads,
  table: KeyedTable,
  { region, afterId, limit }: PageOfResources,
): Promise<readonly ProvableResource[]> {
  const rows = await reads
    .selectFrom(like(table))
    .select(['id', 'crn', 'account_id', 'key_crn', 'key_version_id', 'phase'])
    .where('region', '=', region)
    .where(({ eb, cast }) => eb(cast<string>('id', 'text'), '>', afterId))
    .orderBy('id')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    volumeId: row.id,
    resourceCrn: row.crn,
    accountId: row.account_id,
    keyCrn: row.key_crn,
    keyVersionId: row.key_version_id,
    ...expectations[row.phase],
  }))
}

/** There is a registration from the moment it is keyed until it is being removed, and an image once it is formatted. */
const expectations = {
  requested: { registration: 'possible', image: 'possible' },
  abandoned: { registration: 'possible', image: 'possible' },
  keyed: { registration: 'expected', image: 'possible' },
  formatted: { registration: 'expected', image: 'expected' },
  updating: { registration: 'expected', image: 'expected' },
  failed: { registration: 'expected', image: 'possible' },
  deleting: { registration: 'possible', image: 'possible' },
} as const satisfies Record<VolumePhase, Pick<ProvableResource, 'registration' | 'image'>>
