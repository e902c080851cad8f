// What the audit trail takes from the events of object storage: the record of a change is written in its transaction.

import { initiatorTypes } from '#events/audit-call.ts'
import type { AuditData } from '#events/audit-record.ts'
import type { Draft, EventDescriber } from '#events/audit.ts'
import type { Event } from '#events/event.ts'
import { idsOf, typeUriOf } from './audit.ts'
import { serviceName } from './bucket.ts'

type StorageEvent = Extract<Event, { readonly bucketCrn: string }>

/** By the event, what a call can have been for. */
const purposes: Readonly<Partial<Record<Event['type'], readonly string[]>>> = {
  'cos.bucket.created': ['bucket.create'],
  'cos.bucket.deleted': ['bucket.delete'],
  'cos.object.written': ['object.create', 'object-copy.create', 'object-multipart.complete'],
  'cos.object.deleted': ['object.delete'],
}

export const cosAuditEvents: EventDescriber = {
  endOf(event, draft) {
    if (!isOfStorage(event)) return null
    if (!purposes[event.type]?.some((noun) => draft.action === `${serviceName}.${noun}`)) return null
    const target = { ...draft.target, id: event.bucketCrn }
    return { target, ending: { status: draft.status, responseData: dataOf(event, draft) } }
  },
  alone(event, call) {
    if (!isOfStorage(event)) return null
    if (event.type === 'cos.object.deleted' && call?.action === `${serviceName}.objects.delete`) {
      return recordOf(event, 'object-batch.delete', { ...call, requestData: { objectName: event.key } })
    }
    // The product's own doing: the instance of the bucket is gone for good.
    return event.type === 'cos.bucket.deleted' && !call ? recordOf(event, 'bucket.delete', byItself(event)) : null
  },
}

const isOfStorage = (event: Event): event is StorageEvent => event.type in purposes

type Circumstances = Pick<Draft, 'ownerAccountId' | 'initiator' | 'correlationId' | 'requestData'>

const byItself = ({ accountId }: StorageEvent): Circumstances => ({
  ownerAccountId: accountId,
  initiator: { id: '', name: 'Object Storage', typeURI: initiatorTypes.service, accountId: null },
  correlationId: '',
  requestData: {},
})

function recordOf(event: StorageEvent, noun: string, by: Circumstances) {
  const target = { id: event.bucketCrn, typeURI: typeUriOf(noun) }
  const { ownerAccountId, initiator, correlationId, requestData } = by
  const said = { ownerAccountId, initiator, correlationId, requestData, status: 204 }
  const draft: Draft = { ...said, action: `${serviceName}.${noun}`, target, targetForStrangers: target }
  return { draft, ending: { status: draft.status, responseData: dataOf(event, draft) } }
}

const dataOf = (event: StorageEvent, { correlationId, requestData }: Draft): AuditData => ({
  ...idsOf(correlationId, event.bucketCrn),
  ...('objectId' in event && { objectId: event.objectId }),
  ...('uploadId' in requestData && { uploadId: requestData['uploadId'] }),
})
