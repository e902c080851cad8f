// Buckets: made, found, listed, removed. Names are unique everywhere, as the documentation has it.

import type { Clock } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { bucketsPerInstanceMax } from '#base/limits-cos.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Caller, IamPort } from '#iam/port.ts'
import type { StorageInstance } from '#resources/port.ts'
import type { Database } from '#store/database.ts'
import type { Access } from './access.ts'
import { bucketCrn, bucketTarget, checkBucketName, instanceTarget, parseLocation } from './bucket.ts'
import type { BucketRow } from './bucket.ts'
import type { ObjectFiles } from './files.ts'
import { deleteBucket, bucketsOf, insertBucket, selectBucket, selectBuckets } from './tables-buckets.ts'
import { hasObjects } from './tables-objects.ts'
import { deleteUploadsOf } from './tables-uploads.ts'

export interface Buckets {
  create(caller: Caller, wanted: { name: string; instance: string | undefined; location?: string }): Promise<BucketRow>
  list(caller: Caller, instance: string | undefined): Promise<{ owner: string; buckets: readonly BucketRow[] }>
  get(caller: Caller, action: 'head' | 'get_location', name: string): Promise<BucketRow>
  delete(caller: Caller, name: string): Promise<void>
}

export function makeBuckets(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly iam: IamPort
  readonly region: string
  readonly access: Access
  readonly files: ObjectFiles
}): Buckets {
  const { database, outbox, clock, iam, region, access, files } = parts

  /** Of the header `ibm-service-instance-id`: a GUID or a CRN. One sentence for what is not there and what is another's. */
  async function instanceNamed(caller: Caller, text: string | undefined): Promise<StorageInstance> {
    if (!text) {
      throw new Fault('invalid', 'the header ibm-service-instance-id must name a service instance', {
        reason: 'InvalidArgument',
      })
    }
    const crn = parseCrn(text)
    const instance = await access.instance(crn ? crn.serviceInstance : text)
    if (!instance?.isActive || instance.accountId !== caller.accountId) {
      throw new Fault('forbidden', 'the service instance does not exist in your account')
    }
    return instance
  }

  return {
    async create(caller, wanted) {
      const { name } = wanted
      checkBucketName(name)
      const location = parseLocation(wanted.location, region)
      const instance = await instanceNamed(caller, wanted.instance)
      const action = 'cloud-object-storage.bucket.put_bucket'
      const grant = await iam.authorize(caller, action, bucketTarget(instance, name))
      const row: BucketRow = {
        name,
        account_id: instance.accountId,
        instance_id: instance.id,
        location,
        created_at: clock.now(),
        created_by: caller.iamId,
      }
      await database.transaction(async (tx) => {
        const taken = await selectBucket(tx, name)
        if (taken) throw isTaken(taken.instance_id === instance.id)
        if ((await bucketsOf(tx, instance.id)).length >= bucketsPerInstanceMax) {
          throw new Fault('invalid', `the service instance has ${bucketsPerInstanceMax} buckets, which is the most`, {
            reason: 'TooManyBuckets',
          })
        }
        await insertBucket(tx, grant, row)
        await outbox.append(tx, { ...about(row, caller), type: 'cos.bucket.created' })
      })
      return row
    },

    async list(caller, instanceId) {
      const instance = await instanceNamed(caller, instanceId)
      const action = 'cloud-object-storage.account.get_account_buckets'
      const grant = await iam.authorize(caller, action, instanceTarget(instance))
      return { owner: instance.id, buckets: await selectBuckets(database.reads, grant) }
    },

    async get(caller, action, name) {
      return (await access.toBucket(caller, `cloud-object-storage.bucket.${action}`, name)).bucket
    },

    async delete(caller, name) {
      const { bucket } = await access.toBucket(caller, 'cloud-object-storage.bucket.delete_bucket', name)
      const left = await database.transaction(async (tx) => {
        if (await hasObjects(tx, name)) {
          throw new Fault('conflict', 'the bucket that you tried to delete is not empty', { reason: 'BucketNotEmpty' })
        }
        const fileIds = await deleteUploadsOf(tx, name)
        if (await deleteBucket(tx, name)) {
          await outbox.append(tx, { ...about(bucket, caller), type: 'cos.bucket.deleted' })
        }
        return fileIds
      })
      await files.discard(left)
    },
  }
}

const about = (row: BucketRow, { iamId }: Caller) => ({
  accountId: row.account_id,
  initiatorId: iamId,
  bucketCrn: bucketCrn(row),
})

const isTaken = (isOwn: boolean): Fault =>
  isOwn
    ? new Fault('conflict', 'you have a bucket of this name already', { reason: 'BucketAlreadyOwnedByYou' })
    : new Fault('conflict', 'the requested bucket name is not available: names are shared by everybody', {
        reason: 'BucketAlreadyExists',
      })
