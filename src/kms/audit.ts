// What the audit trail says of calls to the key manager: the names, targets and data that Key Protect documents under
// "Activity tracking events". Payloads, plaintexts, ciphertexts and nonces are no part of it.

import type { Operation } from '#base/contract.ts'
import { formatCrn } from '#base/crn.ts'
import { isUuid } from '#base/id.ts'
import type { AuditBody, AuditData } from '#events/audit-record.ts'
import type { Draft, Ending } from '#events/audit.ts'
import type { Anyone, Caller } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import type { Instance } from './key.ts'
import { selectInstance } from './tables-service.ts'

/** A call as the edge hands it over. */
export interface AuditedCall {
  readonly name: string
  readonly operation: Operation
  readonly anyone: Anyone
  readonly url: string
  readonly path: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly caller: Caller | null
}

export async function draftOf(reads: Reads, call: AuditedCall): Promise<Draft> {
  const { operation, anyone, url, path, headers } = call
  const instanceId = headers['bluemix-instance']?.toLowerCase() ?? ''
  const instance = isUuid(instanceId) ? await selectInstance(reads, instanceId) : null
  const serviceName = instance?.serviceName ?? 'kms'
  const action = actionName(call.name, operation.action ?? 'kms.secrets.default', serviceName)
  const typeURI = typeUriOf(action)
  const keyId = path['id'] ?? ''
  const keyRing = headers['x-kms-key-ring']
  return {
    action,
    ownerAccountId: instance?.accountId ?? null,
    // Who asks becomes known while the call is served.
    get initiator() {
      return initiatorOf(call)
    },
    target: { id: instance ? crnOfTarget(instance, keyId) : saidName(serviceName, instanceId, keyId), typeURI },
    // The GUID and the key id are what the stranger said; the account and the region would be news.
    targetForStrangers: { id: saidName('kms', instanceId, keyId), typeURI },
    correlationId: anyone.requestId,
    status: operation.status,
    requestData: {
      requestURI: url.split('?', 1)[0],
      instanceID: instanceId,
      ...(keyRing !== undefined && { keyRingId: keyRing }),
    },
  }
}

export function initiatorOf({ caller, anyone, headers }: Omit<AuditedCall, 'name'>): Draft['initiator'] {
  const agent = headers['user-agent']
  const host = { address: anyone.remoteAddress, ...(agent !== undefined && { agent: agent.slice(0, agentLengthMax) }) }
  if (!caller) return { id: '', name: '', typeURI: initiatorTypes.user, accountId: null, host }
  return {
    id: caller.iamId,
    name: caller.name,
    typeURI: initiatorTypes[caller.kind],
    accountId: caller.accountId,
    host,
  }
}

const agentLengthMax = 200

export const initiatorTypes = {
  user: 'service/security/account/user',
  serviceId: 'service/security/account/serviceid',
  service: 'service/security/account/service',
  profile: 'service/security/account/profile',
} as const

/** The documented names differ from the IAM actions in a few nouns. */
const renamed: readonly (readonly [string, string])[] = [
  ['secrets.readmetadata', 'secrets-metadata.read'],
  ['secrets.listkeyversions', 'secrets-key-versions.list'],
  ['secrets.createalias', 'secrets-alias.create'],
  ['secrets.deletealias', 'secrets-alias.delete'],
  ['secrets.eventack', 'secrets-event.ack'],
  ['registrations.listforkey', 'registrations.list'],
  ['keyrings.', 'key-rings.'],
  ['instancepolicies.', 'instance-policies.'],
  ['importtoken.', 'import-token.'],
]

/** `HEAD /keys` needs the right to list and has a name of its own. */
const namedByOperation: Readonly<Record<string, string>> = { countKeys: 'secrets.head' }

function actionName(operationName: string, iamAction: string, serviceName: string): string {
  const rest = namedByOperation[operationName] ?? iamAction.slice(iamAction.indexOf('.') + 1)
  const [from, to] = renamed.find(([name]) => rest.startsWith(name)) ?? ['', '']
  return `${serviceName}.${to}${rest.slice(from.length)}`
}

/** `kms.secrets.wrap` is done to `kms/secrets`. */
export const typeUriOf = (action: string): string => action.split('.').slice(0, 2).join('/')

function crnOfTarget(instance: Instance, keyId: string): string {
  const { serviceName, region: location, accountId, id: serviceInstance } = instance
  const resource = keyId === '' ? {} : { resourceType: 'key', resource: keyId }
  return formatCrn({ serviceName, location, accountId, serviceInstance, ...resource })
}

const saidName = (serviceName: string, serviceInstance: string, keyId: string): string =>
  formatCrn({ serviceName, serviceInstance, ...(keyId !== '' && { resourceType: 'key', resource: keyId }) })

/** What of an answer may be kept: ids, states, dates, counts. Chosen by name, so that a new field is left out. */
export function responseDataOf(body: unknown): AuditData {
  if (!isObject(body)) return {}
  const { resources, metadata } = body
  const first: unknown = Array.isArray(resources) ? resources[0] : undefined
  const isList = Array.isArray(resources) && resources.length !== 1
  return {
    ...versionData(body),
    ...(isList && isObject(metadata) && { totalResources: metadata['collectionTotal'] }),
    ...(!isList && isObject(first) && { ...keyData(first), ...versionData(first) }),
  }
}

function versionData(from: Readonly<Record<string, unknown>>): AuditData {
  const { keyVersion, rewrappedKeyVersion } = from
  return {
    ...(isObject(keyVersion) && { keyVersionId: keyVersion['id'], keyVersionCreationDate: keyVersion['creationDate'] }),
    ...(isObject(rewrappedKeyVersion) && { rewrappedKeyVersionId: rewrappedKeyVersion['id'] }),
  }
}

const keyData = (key: Readonly<Record<string, unknown>>): AuditData => ({
  ...(typeof key['id'] === 'string' && { keyId: key['id'] }),
  ...(typeof key['state'] === 'number' && { keyState: key['state'] }),
  ...(typeof key['keyRingID'] === 'string' && { keyRingId: key['keyRingID'] }),
  ...(typeof key['expirationDate'] === 'string' && { expirationDate: key['expirationDate'] }),
})

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const failed = (status: number, error: unknown): Ending => ({
  status,
  responseData: {},
  reason: error instanceof Error && status !== 500 ? error.message : 'internal error',
})

export type Target = AuditBody['target']
