// Many objects removed by one request, each for itself: what may not be removed is told and holds up no other. Source:
// Amazon S3 API, "DeleteObjects".

import { Fault } from '#base/fault.ts'
import type { Caller } from '#iam/port.ts'
import type { Access } from './access.ts'
import type { Objects } from './objects.ts'

export interface Deletions {
  delete(
    caller: Caller,
    bucket: string,
    keys: readonly string[],
  ): Promise<{
    readonly deleted: readonly string[]
    readonly failed: readonly { readonly key: string; readonly code: string; readonly message: string }[]
  }>
}

export const makeDeletions = ({
  access,
  objects,
}: {
  readonly access: Access
  readonly objects: Objects
}): Deletions => ({
  async delete(caller, bucket, keys) {
    await access.toBucket(caller, 'cloud-object-storage.object.post_multi_delete', bucket)
    const deleted: string[] = []
    const failed: { key: string; code: string; message: string }[] = []
    for (const key of keys) {
      try {
        await objects.delete(caller, { bucket, key })
        deleted.push(key)
      } catch (error) {
        if (!(error instanceof Fault) || error.code === 'unavailable') throw error
        const code = error.code === 'forbidden' ? 'AccessDenied' : 'InvalidArgument'
        failed.push({ key, code: error.reason ?? code, message: error.message })
      }
    }
    return { deleted, failed }
  },
})
