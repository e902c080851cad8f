// Copies within object storage. An object that is copied shares its files with the copy, which costs nothing and is whole
// at once; a part that is copied is bytes like any other part. Source: Amazon S3 API, "CopyObject".

import { Fault } from '#base/fault.ts'
import type { Subject } from '#iam/port.ts'
import { judge, preconditionFailed } from './conditions.ts'
import type { Conditions } from './conditions.ts'
import { factsOf, noSuchKey } from './object.ts'
import type { ObjectAddress, ObjectFacts, ObjectRow } from './object.ts'
import { replaceObject, rowOf } from './objects.ts'
import type { ObjectParts } from './objects.ts'
import { selectObject, selectSegments } from './tables-objects.ts'

export interface Source {
  readonly address: ObjectAddress
  readonly conditions: Conditions
}

export interface Copies {
  copy(
    subject: Subject,
    target: ObjectAddress,
    wanted: {
      readonly source: Source
      readonly conditions: Conditions
      /** In the place of the source's; null to take those. */
      readonly facts: ObjectFacts | null
    },
  ): Promise<ObjectRow>
}

export function makeCopies(parts: ObjectParts): Copies {
  const { database, access, files } = parts
  return {
    async copy(subject, target, { source, conditions, facts }) {
      const to = await access.toObject(subject, 'cloud-object-storage.object.copy', target)
      const from = await access.toObject(subject, 'cloud-object-storage.object.copy_get', source.address)
      const isSame = source.address.bucket === target.bucket && source.address.key === target.key
      if (isSame && facts === null) {
        throw new Fault('unprocessable', 'a copy onto itself must change the metadata: x-amz-metadata-directive')
      }
      const { bucket, grant } = to
      const { row, left } = await database.transaction(async (tx) => {
        // The source as it is in this transaction: whoever removes it later sees that its files are shared.
        const origin = await selectObject(tx, from.grant, source.address.key)
        if (!origin) throw noSuchKey(source.address.key)
        checkSource(source, origin)
        const own = factsOf(origin)
        const row: ObjectRow = {
          ...rowOf(parts, target, { sizeBytes: origin.size_bytes, etag: origin.etag }),
          facts: JSON.stringify(facts === null ? own : { ...facts, checksum: own.checksum }),
        }
        const segments = (await selectSegments(tx, origin.id)).map(({ file_id, size_bytes }) => ({
          file_id,
          size_bytes,
        }))
        return { row, left: await replaceObject(parts, tx, { grant, bucket, subject, conditions, row, segments }) }
      })
      await files.discard(left)
      return row
    },
  }
}

export function checkSource({ conditions }: Source, row: ObjectRow): void {
  if (judge(conditions, row) !== 'go') throw preconditionFailed('x-amz-copy-source-if-')
}
