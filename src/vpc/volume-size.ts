// Whoever lends a key may bound how much lies under it, so a volume asks before it grows or changes its profile:
//
//   1. leave, which the key manager books as the new size
//   2. the row
//
// A process that stops in between has booked too much; the sweep of registrations puts that right, and whatever else
// the key manager knows wrongly.

import { Fault } from '#base/fault.ts'
import type { RegisteredResource } from '#kms/port.ts'
import type { VpcParts } from './parts.ts'
import { keyedByCrn } from './tables-ledger.ts'
import type { VolumePatch } from './tables-volumes.ts'
import { blockStorageOf } from './volume.ts'
import type { Volume } from './volume.ts'
import { KeyRefused, requestResize } from './volume-key.ts'

/** Step 1. Whether anything was booked. */
export async function bookSize({ kms }: VpcParts, volume: Volume, { resize }: VolumePatch): Promise<boolean> {
  if (!resize || volume.isProviderManaged) return false
  const { profile, capacityGb } = resize
  const isOther = profile !== volume.profile
  if (!isOther && capacityGb === volume.capacityGb) return false
  try {
    await requestResize(kms, volume, { profile, capacityGb, zone: volume.zone })
    return true
  } catch (cause) {
    const bound = cause instanceof KeyRefused ? cause.explanation?.bound : undefined
    if (!(cause instanceof KeyRefused) || !bound) throw cause
    const name = bound.name === 'profiles' || capacityGb === volume.capacityGb ? 'profile' : 'capacity'
    const { reason = 'volume_encryption_key_not_authorized', explanation } = cause
    const target = { type: 'field', name } as const
    throw new Fault('invalid', cause.message, { reason, target, cause, ...(explanation && { explanation }) })
  }
}

/** After a step 2 that did not come: what the key manager has booked is again what there is. */
export async function settleSize(parts: VpcParts, { crn, keyCrn, accountId }: Volume): Promise<void> {
  const [found] = await keyedByCrn(parts.database.reads, [crn], parts.revocation)
  if (!found) return
  await parts.kms.noteSize({ keyCrn, resourceCrn: crn, as: blockStorageOf(accountId), capacityGb: found.sizeGb })
}

export interface Sizes {
  /** Of registrations of this region's volumes, in pages; to be ended once all have been seen. */
  compare(page: readonly RegisteredResource[]): Promise<void>
  end(): void
}

/**
 * A size that was never said is said at once. One that differs may be on its way between the two steps: it is corrected
 * when the next sweep finds it as it was.
 */
export function makeSizes(parts: VpcParts): Sizes {
  let before = new Map<string, string>()
  let now = new Map<string, string>()
  return {
    async compare(page) {
      const crns = page.map((one) => one.resourceCrn)
      const found = await keyedByCrn(parts.database.reads, crns, parts.revocation)
      const sizes = new Map(found.map((one) => [one.resourceCrn, one]))
      for (const { keyCrn, resourceCrn, capacityGb: booked } of page) {
        const volume = sizes.get(resourceCrn)
        if (!volume || volume.sizeGb === booked) continue
        const { accountId, sizeGb: capacityGb } = volume
        const difference = `${booked} ${capacityGb}`
        now.set(resourceCrn, difference)
        if (booked !== null && before.get(resourceCrn) !== difference) continue
        parts.log.info(
          { keyCrn, resourceCrn, booked, capacityGb },
          'the size of a volume is told to the key manager again',
        )
        await parts.kms.noteSize({ keyCrn, resourceCrn, as: blockStorageOf(accountId), capacityGb })
      }
    },
    end() {
      before = now
      now = new Map()
    },
  }
}
