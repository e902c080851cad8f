// Volumes in use whose key was disabled, or whose authorization was taken away, where the operator lets them run on:
// readers see them as they were, until their machine stops or gives them back. Disks hold them open on a lease that the
// key manager renews; nothing here could make them serve.

import type { Tx } from '#store/database.ts'
import type { AttachmentView } from './instance.ts'
import type { VpcParts } from './parts.ts'
import type { Volume } from './volume.ts'
import { statusEvent } from './volume-event.ts'
import { statusInUse, statusOf } from './volume-state.ts'
import type { VolumeStatus } from './volume-state.ts'

export type Attached =
  | (Pick<AttachmentView, 'status'> & { readonly instance: Pick<AttachmentView['instance'], 'status'> })
  | undefined

const mayRunOn = ({ revocation }: Pick<VpcParts, 'revocation'>, attachment: Attached): boolean =>
  revocation === 'until-stop' && attachment?.status === 'attached' && attachment.instance.status === 'running'

/** What readers see. Whoever wants to open or change the volume is told what its key says: statusOf(). */
export const shownStatus = (
  parts: Pick<VpcParts, 'revocation'>,
  volume: Pick<Volume, 'phase' | 'keyStanding'>,
  attachment: Attached,
): VolumeStatus => (mayRunOn(parts, attachment) ? statusInUse(volume) : statusOf(volume))

/** In the transaction that ends its use: from here on the volume is what its key says. */
export async function endUse(parts: VpcParts, tx: Tx, { accountId, volume }: AttachmentView): Promise<void> {
  if (parts.revocation !== 'until-stop' || statusInUse(volume) === statusOf(volume)) return
  const { crn, phase, keyStanding } = volume
  await parts.outbox.append(tx, statusEvent({ accountId, crn, phase, keyStanding }))
}
