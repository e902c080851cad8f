// What the audit trails take from the ledger's events: each record stands in the trail of both accounts, of the one that is
// told and of the one whose key it is.

import type { AuditData } from '#events/audit-record.ts'
import type { Draft, EventDescriber } from '#events/audit.ts'
import type { Event } from '#events/event.ts'

const actions: Readonly<Partial<Record<Event['type'], string>>> = {
  'ledger.notice.sent': 'keyward.notice.send',
  'ledger.notice.read': 'keyward.notice.read',
  'ledger.notice.acknowledged': 'keyward.notice.acknowledge',
  'ledger.notice.objected': 'keyward.notice.object',
  'ledger.webhook.delivered': 'keyward.webhook.deliver',
  'ledger.webhook.gave-up': 'keyward.webhook.deliver',
  'ledger.plan.announced': 'keyward.plan.announce',
  'ledger.plan.withdrawn': 'keyward.plan.withdraw',
  'ledger.plan.done': 'keyward.plan.finish',
  'ledger.plan.overridden': 'keyward.plan.override',
}

export const ledgerAuditEvents: EventDescriber = {
  endOf: () => null,
  alone(event) {
    const action = actions[event.type]
    if (action === undefined || !('ownerAccountId' in event)) return null
    const { initiatorId: id = '' } = event
    const target = { id: event.keyCrn, typeURI: action.split('.').slice(0, 2).join('/') }
    // No answer came: the trail's word for a receiver that does not take it.
    const hasFailed = event.type === 'ledger.webhook.gave-up'
    const draft: Draft = {
      action,
      ownerAccountId: event.accountId,
      // Whoever did it, the record stands in the owner's trail too.
      initiator: {
        id,
        name: id === '' ? 'Keyward' : id,
        typeURI: id === '' ? 'service/security/account/service' : 'service/security/account/user',
        accountId: event.ownerAccountId,
      },
      target,
      targetForStrangers: target,
      correlationId: '',
      requestData: {},
      status: hasFailed ? 504 : 200,
    }
    const reason = hasFailed ? { reason: 'the receiver did not take the notice' } : {}
    return { draft, ending: { status: draft.status, responseData: dataOf(event), ...reason } }
  },
}

const dataOf = (event: Event): AuditData => ({
  ...('noticeId' in event && { noticeId: event.noticeId }),
  ...('noticeType' in event && { noticeType: event.noticeType }),
  ...('webhookId' in event && { webhookId: event.webhookId }),
  ...('attempts' in event && { attempts: event.attempts }),
  ...('planId' in event && { planId: event.planId }),
  ...('reason' in event && event.reason !== undefined && { reason: event.reason }),
  ...('ownerAccountId' in event && { accountId: event.accountId, ownerAccountId: event.ownerAccountId }),
})
