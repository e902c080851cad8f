// The keys that copies of images are made with: leased for as long as the copy takes, which ends when a lease does.

import { Fault } from '#base/fault.ts'
import { sectorBytes } from '#base/limits.ts'
import { luks2DataOffsetBytes, openLuks2 } from '#crypto/luks2.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import type { CopyRun } from './copy-run.ts'
import { dataKeyInvalid } from './import-faults.ts'
import { requestFor } from './leases.ts'
import type { DataKeyRequest, LeaseBook } from './leases.ts'
import type { VolumeSpec } from './port.ts'

/** Leases the data key of the image. `work` uses what it is given before it first waits, or asks the run before it does. */
export const withDataKey = (
  leases: LeaseBook,
  spec: VolumeSpec,
  run: CopyRun,
  work: (key: SecretBytes) => Promise<void>,
): Promise<void> => withLease(leases, requestFor(spec), run, work)

/** The same of what opens a file that the image is made of or becomes; `work` gets none where there is none. */
export async function withPassphrase(
  leases: LeaseBook,
  image: VolumeSpec,
  wrapped: Uint8Array | null,
  run: CopyRun,
  work: (passphrase: SecretBytes | null) => Promise<void>,
): Promise<void> {
  if (!wrapped) return await work(null)
  try {
    await withLease(leases, { ...requestFor(image), wrapped, isPassphrase: true }, run, work)
  } catch (error) {
    const isOfKms = error instanceof Fault && error.reason === 'UNPROCESSABLE_CIPHERTEXT_ERR'
    throw isOfKms ? dataKeyInvalid('the image’s root key does not unwrap it', error) : error
  }
}

async function withLease(
  leases: LeaseBook,
  request: DataKeyRequest,
  run: CopyRun,
  work: (key: SecretBytes) => Promise<void>,
): Promise<void> {
  const { lease, dataKey } = await leases.take(request)
  using key = dataKey
  run.endWith(key)
  const ended = new Fault('conflict', `the right to use the data key of ${request.resourceCrn} ended meanwhile`)
  try {
    lease.onEnd(() => run.abort(ended))
    run.check()
    await work(key)
  } finally {
    await lease.release()
  }
}

/** Owned by the caller. */
export function volumeKeyIn(header: Uint8Array, dataKey: SecretBytes): SecretBytes {
  const opened = openLuks2(header, dataKey)
  if (opened.dataOffsetBytes === luks2DataOffsetBytes && opened.sectorBytes === sectorBytes) return opened.volumeKey
  opened.volumeKey[Symbol.dispose]()
  throw new Fault('unprocessable', 'only images of the form that is made here can be copied')
}
