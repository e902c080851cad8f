// Object storage, put together.

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import { objectBytesMax } from '#base/limits-cos.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { Consumer } from '#events/dispatcher.ts'
import type { Outbox } from '#events/outbox.ts'
import type { CredentialsPort, IamPort, ServiceSubject } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { makeAccess } from './access.ts'
import type { Access } from './access.ts'
import { bucketCrn, placeOf } from './bucket.ts'
import { makeBuckets } from './buckets.ts'
import type { Buckets } from './buckets.ts'
import { conditionsOf } from './conditions.ts'
import { makeCopies } from './copies.ts'
import type { Copies } from './copies.ts'
import { makeObjectFiles } from './files.ts'
import { makeDeletions } from './deletions.ts'
import type { Deletions } from './deletions.ts'
import { makeHmacKeys } from './hmac-keys.ts'
import { makeIdentify } from './identify.ts'
import type { Identify } from './identify.ts'
import { makeListing } from './listing.ts'
import type { Listing } from './listing.ts'
import { factsOf, factsOfHeaders } from './object.ts'
import { makeObjects } from './objects.ts'
import type { Objects } from './objects.ts'
import type { CosPort, ObjectName } from './port.ts'
import { makeSweep } from './sweep.ts'
import { selectBucket } from './tables-buckets.ts'
import { makeUploads } from './uploads.ts'
import type { Uploads } from './uploads.ts'

export interface Cos {
  readonly port: CosPort
  readonly identify: Identify
  readonly buckets: Buckets
  readonly objects: Objects
  readonly copies: Copies
  readonly deletions: Deletions
  readonly uploads: Uploads
  readonly listing: Listing
  readonly consumers: readonly Consumer[]
}

export function makeCos(parts: {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly dataFolder: string
  readonly region: string
  readonly iam: IamPort
  readonly credentials: CredentialsPort
  /** The account layer's word on service instances; asked with each request, so that there is no second truth. */
  readonly instance: Access['instance']
}): Cos {
  const { database } = parts
  const access = makeAccess(parts)
  const files = makeObjectFiles(parts.dataFolder, parts.random)
  const shared = { ...parts, access, files }
  const hmacKeys = makeHmacKeys(parts)
  const objects = makeObjects(shared)

  /** A bucket elsewhere reads like none: a location is part of what was asked for. */
  async function checkLocation({ bucket, location }: ObjectName): Promise<void> {
    const row = location === undefined ? null : await selectBucket(database.reads, bucket)
    if (row && placeOf(row.location) !== location) {
      throw new Fault('not_found', `bucket ${bucket} is not in ${location}`, { reason: 'NoSuchBucket' })
    }
  }

  async function readObject(wanted: ObjectName & { readonly as: ServiceSubject }) {
    const address = { bucket: wanted.bucket, key: wanted.object }
    const whole = { conditions: conditionsOf({}), range: undefined, withBody: true }
    const { row, body } = await objects.get(wanted.as, address, whole)
    if (!body) throw new Error('an object that was asked for has a body')
    try {
      await checkLocation(wanted)
    } catch (error) {
      body.destroy()
      throw error
    }
    const contentType = factsOf(row).headers['content-type'] ?? ''
    return { sizeBytes: row.size_bytes, etag: row.etag, contentType, body }
  }

  return {
    port: {
      readObject,
      async writeObject({ as, contentType, body, ...name }) {
        const address = { bucket: name.bucket, key: name.object }
        // Whoever may not is told that first, and not where the bucket is.
        await access.toObject(as, 'cloud-object-storage.object.put', address)
        await checkLocation(name)
        return await objects.put(as, address, {
          facts: factsOfHeaders({ 'content-type': contentType }),
          // There are no parts in here: it has room for what parts together have.
          bytesMax: objectBytesMax,
          conditions: conditionsOf({}),
          body: {
            announcedBytes: null,
            checksum: () => null,
            [Symbol.asyncIterator]: () => body[Symbol.asyncIterator](),
          },
        })
      },
      async placeForWriting({ as, ...name }) {
        const address = { bucket: name.bucket, key: name.object }
        const { bucket } = await access.toObject(as, 'cloud-object-storage.object.put', address)
        await checkLocation(name)
        return { bucket: bucket.name, bucketCrn: bucketCrn(bucket), location: placeOf(bucket.location) }
      },
      async deleteObject({ as, ...name }) {
        await objects.delete(as, { bucket: name.bucket, key: name.object })
      },
      createHmacKey: hmacKeys.create,
      deleteHmacKey: hmacKeys.delete,
    },
    identify: makeIdentify({ ...parts, hmacKeys }),
    buckets: makeBuckets(shared),
    objects,
    copies: makeCopies(shared),
    deletions: makeDeletions({ access, objects }),
    uploads: makeUploads({ ...shared, objects }),
    listing: makeListing(shared),
    consumers: [makeSweep(shared)],
  }
}
