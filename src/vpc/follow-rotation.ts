// After a rotation of a root key, every volume and snapshot under it gets its data key wrapped by the newest version. Woken
// by the key manager's events and by the clock; asks each time which lag, so it goes on where it stopped, whatever stopped
// it. The key manager moves the registrations first and the rows follow: between the two the old bytes still open, and a
// row that was not reached lags on and is done again. So is a registration that a forced deletion took away, once its key
// has been restored.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { rewrapBatchMax, rewrapPauseMs, vpcSweepPage } from '#base/limits.ts'
import type { Event } from '#events/event.ts'
import type { WrappedDataKey } from '#kms/port.ts'
import type { VpcParts } from './parts.ts'
import { heldDataKeys, keyedTables, replaceDataKey } from './tables-keyed.ts'
import type { HeldDataKey, KeyedTable } from './tables-keyed.ts'
import { blockStorageOf } from './volume.ts'

export async function followRotation(parts: VpcParts, signal?: AbortSignal): Promise<void> {
  for (const table of keyedTables) await followTable(parts, table, signal)
}

async function followTable(parts: VpcParts, table: KeyedTable, signal?: AbortSignal): Promise<void> {
  let afterId = ''
  let isFirst = true
  for (;;) {
    const page = await heldDataKeys(parts.database.reads, table, parts.region, afterId, vpcSweepPage)
    const last = page.at(-1)
    if (!last) return
    signal?.throwIfAborted()
    const lagging = await parts.kms.lagging(
      page.map(({ accountId, crn, keyCrn, keyVersionId }) => ({
        keyCrn,
        keyVersionId,
        resourceCrn: crn,
        as: blockStorageOf(accountId),
      })),
    )
    for (const batch of batchesOf(page.filter((_, i) => lagging[i]))) {
      if (!isFirst) await pause(parts.clock, rewrapPauseMs)
      signal?.throwIfAborted()
      isFirst = false
      await rewrap(parts, table, batch)
    }
    afterId = last.id
  }
}

type Batch = readonly [HeldDataKey, ...HeldDataKey[]]

/** Those of one account under one key, as many as go into one transaction. */
function batchesOf(held: readonly HeldDataKey[]): readonly Batch[] {
  const groups = Map.groupBy(held, ({ accountId, keyCrn }) => `${accountId} ${keyCrn}`)
  return [...groups.values()].flatMap((group) => {
    const batches: Batch[] = []
    for (let from = 0; from < group.length; from += rewrapBatchMax) {
      const [first, ...others] = group.slice(from, from + rewrapBatchMax)
      if (first) batches.push([first, ...others])
    }
    return batches
  })
}

async function rewrap(parts: VpcParts, table: KeyedTable, batch: Batch): Promise<void> {
  const replaced = await rewrapped(parts, batch)
  if (replaced.length === 0) return
  await parts.database.transaction(async (tx) => {
    for (const { held, key } of replaced) {
      if (!(await replaceDataKey(tx, table, held, key))) continue
      const facts = { accountId: held.accountId, keyCrn: held.keyCrn, keyVersionId: key.keyVersionId }
      await parts.outbox.append(tx, rewrappedEvent(table, held.crn, facts))
    }
  })
}

function rewrappedEvent(
  table: KeyedTable,
  crn: string,
  facts: { readonly accountId: string; readonly keyCrn: string; readonly keyVersionId: string },
): Event {
  switch (table) {
    case 'vpc_volume':
      return { type: 'vpc.volume.data-key-rewrapped', ...facts, volumeCrn: crn }
    case 'vpc_snapshot':
      return { type: 'vpc.snapshot.data-key-rewrapped', ...facts, snapshotCrn: crn }
    case 'vpc_image':
      return { type: 'vpc.image.data-key-rewrapped', ...facts, imageCrn: crn }
  }
}

/** Without those that are left to the next pass: the owner of the key has decided something else, or they do not open. */
async function rewrapped(
  parts: VpcParts,
  batch: Batch,
): Promise<readonly { readonly held: HeldDataKey; readonly key: WrappedDataKey }[]> {
  const [{ accountId, keyCrn }] = batch
  const held = batch.map(({ crn, wrapped }) => ({ resourceCrn: crn, wrapped }))
  try {
    const results = await parts.kms.rewrapDataKeys({ keyCrn, as: blockStorageOf(accountId), held })
    return batch.flatMap((one, i) => {
      const key = results[i]
      if (key instanceof Fault) warn(parts, key, [one])
      return !key || key instanceof Fault || key.keyVersionId === one.keyVersionId ? [] : [{ held: one, key }]
    })
  } catch (error) {
    if (!(error instanceof Fault)) throw error
    warn(parts, error, batch)
    return []
  }
}

const warn = (parts: VpcParts, err: Fault, held: readonly HeldDataKey[]): void =>
  parts.log.warn({ err, resourceCrns: held.map(({ crn }) => crn) }, 'data keys could not be re-wrapped')

const pause = (clock: Clock, ms: number): Promise<void> => new Promise((resolve) => void clock.after(ms, resolve))
