// What the audit trail takes from the key manager's events: the record of a change is written in its transaction, and all
// that is known there is the event. Source: Key Protect, "Activity tracking events".

import { rfc3339Seconds } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import type { AuditData } from '#events/audit-record.ts'
import { initiatorTypes } from '#events/audit-call.ts'
import type { Draft, EventDescriber } from '#events/audit.ts'
import type { Event } from '#events/event.ts'
import { typeUriOf } from './audit.ts'
import { keyNameOf } from './key-name.ts'
import { stateNumbers } from './key-state.ts'
import { serviceIamId } from './resource.ts'

export const kmsAuditEvents: EventDescriber = {
  endOf(event, draft) {
    if (!event.type.startsWith('kms.') || event.type.startsWith('kms.lifecycle.failed')) return null
    // A forced deletion takes registrations away first; what was asked for is the deletion.
    const isRegistration = /^kms\.registrations?\./.test(event.type)
    if (isRegistration !== draft.action.includes('.registrations.')) return null
    const target = { ...draft.target, ...('keyCrn' in event && { id: event.keyCrn }) }
    const requestData = { ...draft.requestData, ...requestDataOf(event) }
    return { target, requestData, ending: { status: draft.status, responseData: dataOf(event) } }
  },
  alone(event, call) {
    if (event.type === 'kms.instance.network-policies-lifted') return liftedRecord(event)
    const verb = ownActions[event.type]
    if (verb === undefined || !('keyCrn' in event)) return null
    if (call && !besideCalls.has(event.type)) return null
    const status = event.type === 'kms.lifecycle.failed' ? event.reasonCode : 200
    const reason = event.type === 'kms.lifecycle.failed' ? { reason: event.reasonForFailure } : {}
    const action = `${keyNameOf(event.keyCrn)?.serviceName ?? 'kms'}.${verb}`
    const target = { id: event.keyCrn, typeURI: typeUriOf(action) }
    const draft: Draft = {
      action,
      ownerAccountId: event.accountId,
      initiator: initiatorIn(event),
      target,
      targetForStrangers: target,
      correlationId: '',
      requestData: requestDataOf(event),
      status,
    }
    return { draft, ending: { status, responseData: dataOf(event), ...reason } }
  },
}

/** What the key manager does by itself, when its time has come, and what services of this installation say. */
const ownActions: Readonly<Partial<Record<Event['type'], string>>> = {
  'kms.key.expired': 'secrets.expire',
  'kms.key.rotated': 'secrets.rotate',
  'kms.key.purged': 'secrets.purge',
  'kms.key.quarantined': 'secrets.quarantine',
  'kms.key.quarantine-lifted': 'secrets.lift-quarantine',
  'kms.lifecycle.acknowledged': 'secrets-event.ack',
  'kms.lifecycle.failed': 'secrets-event.ack',
  'kms.registrations.deactivated': 'registrations.deactivate',
  // Ours: in the trail of each account whose data keys they were.
  'kms.data-keys.destroyed': 'data-keys.destroy',
}

/** What a call brings about beside what it is for. */
const besideCalls: ReadonlySet<Event['type']> = new Set(['kms.registrations.deactivated', 'kms.data-keys.destroyed'])

/** As the documented records call them. */
const policyNames = { allowedIP: 'policyAllowedIPEnabled', allowedNetwork: 'policyAllowedNetworkEnabled' } as const

function liftedRecord(event: Extract<Event, { type: 'kms.instance.network-policies-lifted' }>) {
  const action = `${parseCrn(event.instanceCrn)?.serviceName ?? 'kms'}.instance-policies.write`
  const target = { id: event.instanceCrn, typeURI: typeUriOf(action) }
  const initiator = { id: '', name: 'operator', typeURI: initiatorTypes.service, accountId: null }
  const requestData = { newValue: Object.fromEntries(event.policyTypes.map((type) => [policyNames[type], false])) }
  const [ownerAccountId, status] = [event.accountId, 204]
  const said = { target, targetForStrangers: target, correlationId: '', requestData }
  const draft: Draft = { action, ownerAccountId, initiator, ...said, status }
  return { draft, ending: { status, responseData: {} } }
}

/** Of an acknowledgement the service that gave it, and so a record in its account too. */
function initiatorIn(event: Event): Draft['initiator'] {
  if (event.type === 'kms.key.quarantined' || event.type === 'kms.key.quarantine-lifted') {
    const { initiatorId: id = '', accountId } = event
    return { id, name: id, typeURI: initiatorTypes.user, accountId }
  }
  const typeURI = initiatorTypes.service
  if (event.type !== 'kms.lifecycle.acknowledged' && event.type !== 'kms.registrations.deactivated') {
    return { id: '', name: 'Key Protect', typeURI, accountId: null }
  }
  const { serviceName, serviceAccountId: accountId } = event
  return { id: serviceIamId({ serviceName, accountId }), name: serviceName, typeURI, accountId }
}

/** The documented records of these have part of their data under `requestData`. */
function requestDataOf(event: Event): AuditData {
  switch (event.type) {
    case 'kms.key.created':
      return { keyType: event.keyType }
    case 'kms.key.expired':
      return { keyType: event.keyType, expirationDate: rfc3339Seconds(event.expiresAt) }
    case 'kms.key.moved':
      return { initialValue: { keyRingId: event.previousKeyRingId }, newValue: { keyRingId: event.keyRingId } }
    default:
      return {}
  }
}

const dataOf = (event: Event): AuditData => ({
  ...('keyCrn' in event && { keyId: keyNameOf(event.keyCrn)?.keyId }),
  ...('keyVersionId' in event && { keyVersionId: event.keyVersionId }),
  ...('resourceCrns' in event && { resourceCRNs: event.resourceCrns }),
  ...('resourceCrn' in event && event.resourceCrn !== undefined && { resourceCRN: event.resourceCrn }),
  ...detailsOf(event),
})

function detailsOf(event: Event): AuditData {
  switch (event.type) {
    case 'kms.key.created':
      return {
        keyState: stateNumbers.active,
        keyVersionCreationDate: rfc3339Seconds(event.createdAt),
        ...(event.expiresAt !== undefined && { expirationDate: rfc3339Seconds(event.expiresAt) }),
      }
    case 'kms.key.set-for-deletion':
      return {
        newValue: {
          ...(event.initiatorId !== undefined && { authID: event.initiatorId }),
          authExpiration: rfc3339Seconds(event.authorizationExpiresAt),
        },
      }
    case 'kms.registrations.deactivated':
      return { eventId: event.noticeId, totalResources: event.resourceCount }
    case 'kms.key.enabled':
    case 'kms.key.restored':
      return { keyState: stateNumbers.active }
    case 'kms.key.disabled':
      return { keyState: stateNumbers.suspended }
    case 'kms.key.deleted':
      return { keyState: stateNumbers.destroyed }
    case 'kms.key.expired':
      return { initialValue: { keyState: stateNumbers.active }, newValue: { keyState: stateNumbers.deactivated } }
    case 'kms.key.purged':
      return {
        deletionDate: rfc3339Seconds(event.deletedAt),
        purgeAllowedFrom: rfc3339Seconds(event.purgeAllowedFrom),
        purgeEligibleOn: rfc3339Seconds(event.purgeEligibleOn),
        destroyCertificate: event.destroyCertificate,
      }
    case 'kms.data-keys.destroyed':
      return { totalDataKeys: event.dataKeyCount, destroyCertificate: event.destroyCertificate }
    case 'kms.key-ring.created':
    case 'kms.key-ring.deleted':
      return { keyRingId: event.keyRingId }
    case 'kms.import-token.created':
      return { expirationDate: rfc3339Seconds(event.expiresAt), maxAllowedRetrievals: event.maxAllowedRetrievals }
    case 'kms.import-token.retrieved':
      return { remainingRetrievals: event.remainingRetrievals }
    case 'kms.lifecycle.acknowledged': {
      const { noticeId: eventId, noticeType: eventType, keyState, oldKeyVersionId, newKeyVersionId } = event
      return { eventAckData: { eventId, eventType, keyState, oldKeyVersionId, newKeyVersionId } }
    }
    default:
      return {}
  }
}
