// What nobody asks for and has to be done: buckets whose service instance has been removed for good, and files that a crash
// has left without a row.

import type { Clock } from '#base/clock.ts'
import { objectsPerSweep, objectSweepMs } from '#base/limits-cos.ts'
import type { Consumer } from '#events/dispatcher.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Database } from '#store/database.ts'
import type { Access } from './access.ts'
import { bucketCrn } from './bucket.ts'
import type { BucketRow } from './bucket.ts'
import type { ObjectFiles } from './files.ts'
import { bucketsOf, deleteBucket, selectInstanceIds } from './tables-buckets.ts'
import { deleteObject, firstObjects, hasObjects, selectKnownFiles } from './tables-objects.ts'
import { deleteUploadsOf } from './tables-uploads.ts'

export function makeSweep(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly access: Access
  readonly files: ObjectFiles
}): Consumer {
  const { database, outbox, clock, access, files } = parts
  let sweptAt: number | null = null

  async function removeBucket(bucket: BucketRow): Promise<void> {
    for (;;) {
      const { left, isDone } = await database.transaction(async (tx) => {
        const left: string[] = []
        for (const row of await firstObjects(tx, bucket.name, objectsPerSweep))
          left.push(...(await deleteObject(tx, row)))
        if (await hasObjects(tx, bucket.name)) return { left, isDone: false }
        left.push(...(await deleteUploadsOf(tx, bucket.name)))
        if (await deleteBucket(tx, bucket.name)) {
          const event = { type: 'cos.bucket.deleted', accountId: bucket.account_id } as const
          await outbox.append(tx, { ...event, bucketCrn: bucketCrn(bucket) })
        }
        return { left, isDone: true }
      })
      await files.discard(left)
      if (isDone) return
    }
  }

  return {
    name: 'cos.sweep',
    types: ['resources.instance.deleted'],
    async reconcile() {
      for (const instanceId of await selectInstanceIds(database.reads)) {
        if (await access.instance(instanceId)) continue
        for (const bucket of await bucketsOf(database.reads, instanceId)) await removeBucket(bucket)
      }
      if (sweptAt !== null && clock.monotonicMs() - sweptAt < objectSweepMs) return
      await files.sweep((fileIds) => selectKnownFiles(database.reads, fileIds))
      sweptAt = clock.monotonicMs()
    },
  }
}
