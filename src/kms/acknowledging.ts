// Acknowledgements as services send them over HTTP, by leave of the key's account. Source: Key Protect, "Service access
// roles" (`kms.secrets.eventack`); the body is ours, in the envelope of `event_acknowledge`.

import type { Static } from 'typebox'
import type { Access, Asked } from './access.ts'
import { onlyResource } from './envelope.ts'
import type { Acknowledgement, Notices } from './notices.ts'
import { requireService } from './resource.ts'
import type { acknowledgeBody } from './schemas-settings.ts'
import { keyIdOf } from './tables-rows.ts'

type Said = Omit<Acknowledgement, 'by' | 'keyId'>

export type Acknowledging = ReturnType<typeof makeAcknowledging>

export const makeAcknowledging = ({ access, notices }: { readonly access: Access; readonly notices: Notices }) => ({
  async acknowledge(asked: Asked, id: string, said: Said): Promise<void> {
    const by = requireService(asked.caller)
    const grant = await access.key(asked, 'kms.secrets.eventack', id)
    await notices.acknowledge({ ...said, by, keyId: keyIdOf(grant) })
  },
})

export function acknowledgement(body: Static<typeof acknowledgeBody>): Said {
  const { eventId, eventType, keyState, newKeyVersionId } = onlyResource(body, 'event_acknowledge')
  return {
    noticeId: eventId,
    // `kms.secrets.rotate` and `rotate` are one.
    ...(eventType !== undefined && { type: eventType.replace(/^kms\.secrets\./, '') }),
    ...(keyState !== undefined && { keyState }),
    ...(newKeyVersionId !== undefined && { newVersionId: newKeyVersionId }),
  }
}
