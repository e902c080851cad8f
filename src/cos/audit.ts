// What the audit trail says of calls to object storage: the names that IBM documents under "Activity Tracker events". No
// content, no metadata of objects, and nothing of a query but what is named here: presigned URLs hold signatures.

import { formatCrn, parseCrn } from '#base/crn.ts'
import type { Operation } from '#base/contract.ts'
import type { AuditData } from '#events/audit-record.ts'
import { initiatorOf } from '#events/audit-call.ts'
import type { Draft } from '#events/audit.ts'
import type { Anyone, Caller } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import type { Access } from './access.ts'
import { bucketCrn, serviceName } from './bucket.ts'
import type { cosContract } from './contract.ts'
import { instanceHeader } from './identify.ts'
import type { ObjectAddress } from './object.ts'
import { selectBucket } from './tables-buckets.ts'

/** A call as the edge hands it over; who asks, and for which instance, becomes known while it is served. */
export interface AuditedCall {
  readonly name: string
  readonly operation: Operation
  readonly anyone: Anyone
  readonly url: string
  readonly path: Readonly<Record<string, string>>
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly caller: Caller | null
  statusOf(error: unknown): number
}

/** IBM Cloud Object Storage, "IAM and Activity Tracker actions by API". */
const actionNames: Readonly<Record<string, string>> = {
  listBuckets: 'instance.list',
  createBucket: 'bucket.create',
  deleteBucket: 'bucket.delete',
  headBucket: 'bucket-metadata.read',
  getBucketLocation: 'bucket-location.read',
  listObjects: 'bucket.list',
  listObjectsV2: 'bucket.list',
  deleteObjects: 'objects.delete',
  getObject: 'object.read',
  headObject: 'object-metadata.read',
  putObject: 'object.create',
  copyObject: 'object-copy.create',
  deleteObject: 'object.delete',
  listMultipartUploads: 'bucket-multipart.list',
  createMultipartUpload: 'object-multipart.start',
  uploadPart: 'object-multipart.create',
  uploadPartCopy: 'object-multipart.create',
  completeMultipartUpload: 'object-multipart.complete',
  abortMultipartUpload: 'object-multipart.delete',
  listParts: 'object-multipart.list',
} satisfies Record<keyof typeof cosContract, string>

/** What is done to where an object is copied from; the other half is the operation's own action. */
export const copySource = 'object-copy.read'

/** What of a query is kept, and under which name. */
const kept = { uploadId: 'uploadId', partNumber: 'partNumber', prefix: 'prefix', delimiter: 'delimiter' } as const

/** Longer ones are no values that we give out. */
const keptLengthMax = 1024

/** Of the operation, or of the source that it copies from. */
export async function draftOf(
  reads: Reads,
  instance: Access['instance'],
  call: AuditedCall,
  source?: ObjectAddress,
): Promise<Draft> {
  const noun = source ? copySource : (actionNames[call.name] ?? 'object.read')
  const { bucket: bucketName = '', key = '' } = source ?? call.path
  const [path, query] = call.url.split('?', 2)
  const parameters = new URLSearchParams(query)
  const isOfInstance = instanceOperations.has(call.name)
  const saidInstance = () => (isOfInstance ? call.headers[instanceHeader] : undefined)
  const requestData = {
    requestURI: path,
    ...(key !== '' && { objectName: key }),
    ...Object.fromEntries(
      Object.entries(kept).flatMap(([name, as]) => {
        const value = parameters.get(name)
        return value === null ? [] : [[as, value.slice(0, keptLengthMax)]]
      }),
    ),
  }
  const place = isOfInstance ? await instancePlace(instance, call) : await bucketPlace(reads, bucketName)
  const typeURI = typeUriOf(noun)
  // Where the request names no instance, an HMAC key brings its own along, which is of its account.
  const namesNone = isOfInstance && call.headers[instanceHeader] === undefined
  const ownAccount = () => (namesNone ? (call.caller?.accountId ?? null) : null)
  return {
    action: `${serviceName}.${noun}`,
    get ownerAccountId() {
      return place.accountId ?? ownAccount()
    },
    get initiator() {
      return initiatorOf(call)
    },
    get target() {
      return { id: place.crn ?? saidName(bucketName, saidInstance(), ownAccount()), typeURI }
    },
    get targetForStrangers() {
      return { id: saidName(bucketName, saidInstance()), typeURI }
    },
    correlationId: call.anyone.requestId,
    requestData,
    status: call.operation.status,
  }
}

/** Operations that are asked of an instance: whose bucket has that name already, if anybody's, is not their matter. */
const instanceOperations: ReadonlySet<string> = new Set(['listBuckets', 'createBucket'])

interface Place {
  readonly accountId: string | null
  readonly crn: string | null
}

export async function bucketPlace(reads: Reads, name: string): Promise<Place> {
  const bucket = await selectBucket(reads, name)
  return { accountId: bucket?.account_id ?? null, crn: bucket && bucketCrn(bucket) }
}

async function instancePlace(instance: Access['instance'], { headers, path }: AuditedCall): Promise<Place> {
  const said = headers[instanceHeader]
  const found = said ? await instance(parseCrn(said)?.serviceInstance ?? said) : null
  if (!found) return { accountId: null, crn: null }
  const { accountId, id: serviceInstance } = found
  const bucket = path['bucket'] ? { resourceType: 'bucket', resource: path['bucket'] } : {}
  return { accountId, crn: formatCrn({ serviceName, location: 'global', accountId, serviceInstance, ...bucket }) }
}

/** Of what the request says, and nothing else. */
export const saidName = (bucket: string, instance = '', accountId: string | null = null): string =>
  formatCrn({
    serviceName,
    location: 'global',
    ...(accountId !== null && { accountId }),
    serviceInstance: (parseCrn(instance)?.serviceInstance ?? instance).slice(0, keptLengthMax),
    ...(bucket !== '' && { resourceType: 'bucket', resource: bucket }),
  })

/** `object-multipart.create` is done to `cloud-object-storage/object/multipart`. */
export const typeUriOf = (noun: string): string =>
  `${serviceName}/${noun.slice(0, noun.indexOf('.')).replaceAll('-', '/')}`

/** What of an answer is kept: ids and counts. */
export function responseDataOf(
  { anyone, name }: AuditedCall,
  { target, requestData }: Draft,
  body: unknown,
): AuditData {
  const answer = Object(body) as Readonly<Record<string, Readonly<Record<string, unknown>>>>
  const errors = answer['DeleteResult']?.['Error']
  const uploadId = answer['InitiateMultipartUploadResult']?.['UploadId'] ?? requestData['uploadId']
  return {
    ...idsOf(anyone.requestId, target.id),
    ...(uploadId !== undefined && { uploadId }),
    ...(name === 'deleteObjects' && { refusedObjects: Array.isArray(errors) ? errors.length : 0 }),
  }
}

export const idsOf = (requestId: string, targetCrn: string): AuditData => ({
  requestId,
  serviceInstanceId: parseCrn(targetCrn)?.serviceInstance ?? '',
})
