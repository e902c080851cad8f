// Finding a bucket and asking whether somebody may. The bucket's account decides, whoever asks.

import { Fault } from '#base/fault.ts'
import type { Grant, IamPort, Subject } from '#iam/port.ts'
import type { StorageInstance } from '#resources/port.ts'
import type { Database } from '#store/database.ts'
import { bucketTarget, checkBucketName, noSuchBucket } from './bucket.ts'
import type { Asked, BucketRow } from './bucket.ts'
import { checkKey } from './object.ts'
import type { ObjectAddress } from './object.ts'
import { selectBucket } from './tables-buckets.ts'

export type StorageAction = `cloud-object-storage.${string}`

export interface Access {
  toBucket<A extends StorageAction>(
    subject: Subject,
    action: A,
    name: string,
    asked?: Asked,
  ): Promise<{ readonly bucket: BucketRow; readonly grant: Grant<A> }>
  toObject<A extends StorageAction>(
    subject: Subject,
    action: A,
    address: ObjectAddress,
  ): Promise<{ readonly bucket: BucketRow; readonly grant: Grant<A> }>
  /** By GUID; null for what is no instance of object storage, or is gone. */
  readonly instance: (id: string) => Promise<StorageInstance | null>
}

export function makeAccess(parts: {
  readonly database: Database
  readonly iam: IamPort
  readonly instance: Access['instance']
}): Access {
  const { database, iam, instance } = parts

  async function toBucket<A extends StorageAction>(subject: Subject, action: A, name: string, asked: Asked = {}) {
    checkBucketName(name)
    const bucket = await selectBucket(database.reads, name)
    const owner = bucket && (await instance(bucket.instance_id))
    if (!bucket || !owner) throw noSuchBucket()
    const grant = await authorize(subject, action, owner, name, asked)
    if (!owner.isActive) {
      throw new Fault('forbidden', 'the service instance of this bucket is deleted: restore it first')
    }
    return { bucket, grant }
  }

  async function authorize<A extends StorageAction>(
    subject: Subject,
    action: A,
    owner: StorageInstance,
    name: string,
    asked: Asked,
  ): Promise<Grant<A>> {
    try {
      return await iam.authorize(subject, action, bucketTarget(owner, name, asked))
    } catch (error) {
      // A person who only knows a name learns that it is taken, and not by whom. A service acts for an account that was
      // told which bucket it may use: its refusal says whose authorization is missing.
      const isStranger = subject.kind !== 'service' && subject.accountId !== owner.accountId
      if (!(error instanceof Fault) || error.code !== 'forbidden' || !isStranger) throw error
      throw new Fault('forbidden', 'Access Denied', { cause: error })
    }
  }

  return {
    instance,
    toBucket,
    async toObject(subject, action, { bucket, key }) {
      checkKey(key)
      return await toBucket(subject, action, bucket, { path: key })
    },
  }
}
