// What the audit trail says of calls to the key manager: the names, targets and data that Key Protect documents under
// "Activity tracking events". Payloads, plaintexts, ciphertexts and nonces are no part of it.

import { rfc3339Seconds } from '#base/clock.ts'
import type { Operation } from '#base/contract.ts'
import { formatCrn } from '#base/crn.ts'
import { isUuid } from '#base/id.ts'
import type { AuditBody, AuditData } from '#events/audit-record.ts'
import { initiatorOf } from '#events/audit-call.ts'
import type { Draft } from '#events/audit.ts'
import type { Anyone, Caller } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { keyTypeOf } from './key.ts'
import type { Instance } from './key.ts'
import { selectPlace } from './tables-service.ts'

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

/** The instance and the key that a call names, as far as there are such; null where there is no such instance. */
export type AuditedPlace = Awaited<ReturnType<typeof selectPlace>>

export async function placeOf(reads: Reads, { path, headers }: AuditedCall): Promise<AuditedPlace> {
  const instanceId = instanceIdIn(headers)
  return isUuid(instanceId) ? await selectPlace(reads, instanceId, path['id'] ?? null) : null
}

const instanceIdIn = (headers: AuditedCall['headers']): string => headers['bluemix-instance']?.toLowerCase() ?? ''

export function draftOf(call: AuditedCall, place: AuditedPlace): Draft {
  const { operation, anyone, url, path, headers } = call
  const instanceId = instanceIdIn(headers)
  const { instance = null, key = null } = place ?? {}
  const serviceName = instance?.serviceName ?? 'kms'
  const isTried = new URLSearchParams(url.split('?')[1]).get('dry_run') === 'true'
  const named = actionName(call.name, operation.action ?? 'kms.secrets.default', serviceName)
  // Nobody who reads the trail takes a question for the deed.
  const action = isTried ? `${named}.dry-run` : named
  const typeURI = typeUriOf(action)
  const said = path['id'] ?? ''
  const keyRing = headers['x-kms-key-ring']
  return {
    action,
    ownerAccountId: instance?.accountId ?? null,
    // Who asks becomes known while the call is served.
    get initiator() {
      return initiatorOf(call)
    },
    target: {
      id: instance ? crnOfTarget(instance, key?.id ?? said) : saidName(serviceName, instanceId, said),
      typeURI,
    },
    // The GUID and the key id are what the stranger said; the account and the region would be news.
    targetForStrangers: { id: saidName('kms', instanceId, said), typeURI },
    correlationId: anyone.requestId,
    status: operation.status,
    requestData: {
      requestURI: url.split('?', 1)[0],
      instanceID: instanceId,
      ...(keyRing !== undefined && { keyRingId: keyRing }),
    },
  }
}

/** What the documented records of using or reading a key say of it beside the answer. */
export function keyDataOf(place: AuditedPlace, now: number): AuditData {
  const { key } = place ?? {}
  if (!key) return {}
  const { expiresAt } = key
  return {
    keyType: keyTypeOf(key),
    ...(expiresAt !== null && {
      expirationDate: rfc3339Seconds(expiresAt),
      daysToKeyExpire: Math.max(0, Math.floor((expiresAt - now) / dayMs)),
    }),
  }
}

const dayMs = 24 * 3_600_000

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
export function responseDataOf(body: unknown, headers: Readonly<Record<string, string>>): AuditData {
  const total = headers['key-total']
  if (total !== undefined) return { totalResources: Number(total) }
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

export type Target = AuditBody['target']
