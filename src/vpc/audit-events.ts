// What the audit trail takes from block storage's events: that a volume was changed behind its back, in its account's trail.

import type { Draft, EventDescriber } from '#events/audit.ts'

const action = 'is.volume.integrity-check'

export const vpcAuditEvents: EventDescriber = {
  endOf: () => null,
  alone(event) {
    if (event.type !== 'vpc.volume.damaged' && event.type !== 'vpc.volume.mended') return null
    const target = { id: event.volumeCrn, typeURI: 'is/volume' }
    const isGood = event.type === 'vpc.volume.mended'
    const draft: Draft = {
      action,
      ownerAccountId: event.accountId,
      initiator: { id: '', name: 'Keyward', typeURI: 'service/security/account/service', accountId: null },
      target,
      targetForStrangers: target,
      correlationId: '',
      requestData: {},
      status: 200,
    }
    if (isGood) return { draft, ending: { status: 200, responseData: {} } }
    const { sectors, hasMore, isLost } = event
    const reason = isLost
      ? 'the volume was put back to an earlier state, or its tags were destroyed'
      : 'sectors are not what was written'
    // The trail's word for storage that does not have what it was given.
    return { draft, ending: { status: 507, responseData: { sectors, hasMore, isLost }, reason } }
  },
}
