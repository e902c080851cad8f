// What S3 has and is not built: refused by name, so that nobody believes that an object was locked, tagged, versioned or
// encrypted when it was not. docs/compatibility.md lists the same.

import { Fault } from '#base/fault.ts'
import { checksumOfHeader } from './checksums.ts'

/** Query parameters that make another operation out of one. */
const subresources: ReadonlySet<string> = new Set([
  'accelerate',
  'acl',
  'analytics',
  'append',
  'attributes',
  'cors',
  'encryption',
  'extendRetention',
  'firewall',
  'intelligent-tiering',
  'inventory',
  'legal-hold',
  'legalHold',
  'lifecycle',
  'logging',
  'metrics',
  'notification',
  'object-lock',
  'ownershipControls',
  'policy',
  'policyStatus',
  'protection',
  'publicAccessBlock',
  'quota',
  'replication',
  'requestPayment',
  'restore',
  'retention',
  'select',
  'session',
  'tagging',
  'torrent',
  'versioning',
  'versions',
  'website',
])

const headerBeginnings = [
  'ibm-sse-kp-',
  'retention-',
  'x-amz-bucket-object-lock-',
  'x-amz-grant-',
  'x-amz-object-lock-',
  'x-amz-server-side-encryption',
  'x-amz-copy-source-server-side-encryption',
  'x-amz-tagging',
  'x-amz-website-redirect-location',
]

export function refuseNotYet({
  query,
  headers,
}: {
  readonly query: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string | undefined>>
}): void {
  for (const name of Object.keys(query)) {
    const isVersion = name === 'versionId' && query[name] !== 'null'
    const isPart = name === 'partNumber' && !('uploadId' in query)
    if (subresources.has(name) || isVersion || isPart) throw notYet('parameter', name)
  }
  for (const [name, value] of Object.entries(headers)) {
    if (value && headerBeginnings.some((beginning) => name.startsWith(beginning))) throw notYet('header', name)
    // On completion it would be about the object, which is not read again.
    if (checksumOfHeader(name) && 'uploadId' in query && !('partNumber' in query)) throw notYet('header', name)
  }
  const { 'x-amz-acl': acl, 'x-amz-storage-class': storageClass } = headers
  if (acl !== undefined && acl !== 'private') throw notYet('header', 'x-amz-acl')
  if (storageClass !== undefined && storageClass !== 'STANDARD') {
    throw new Fault('invalid', 'the storage class that you specified is not valid: a bucket has one for all objects', {
      reason: 'InvalidStorageClass',
    })
  }
}

const notYet = (type: 'parameter' | 'header', name: string): Fault =>
  new Fault('not_implemented', `a ${type} you provided implies functionality that is not implemented: ${name}`, {
    target: { type, name },
    extra: { [type === 'header' ? 'Header' : 'Parameter']: name },
  })
