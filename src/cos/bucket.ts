// Buckets by name, place and CRN. Source: IBM Cloud Object Storage API, "Create a bucket"; "Endpoints and storage
// locations".

import { isIP } from 'node:net'
import type { Selectable } from 'kysely'
import { formatCrn } from '#base/crn.ts'
import { Fault } from '#base/fault.ts'
import { bucketNameLength } from '#base/limits-cos.ts'
import type { Target } from '#iam/port.ts'
import type { StorageInstance } from '#resources/port.ts'
import type { CosTables } from '#store/schema/cos.ts'

export type BucketRow = Selectable<CosTables['cos_bucket']>

export const serviceName = 'cloud-object-storage'

/** Lower-case letters, digits, dots and hyphens; labels begin and end with letters or digits; no IP address. */
export function checkBucketName(name: string): void {
  const { min, max } = bucketNameLength
  const isName = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/.test(name)
  if (isName && name.length >= min && name.length <= max && isIP(name) === 0 && !name.startsWith('xn--')) return
  throw new Fault('invalid', 'the specified bucket is not valid: names are 3 to 63 of a-z, 0-9, hyphens and dots', {
    reason: 'InvalidBucketName',
  })
}

const storageClasses = ['standard', 'vault', 'cold', 'flex', 'smart', 'onerate_active'] as const

/** A provisioning code such as `us-south-standard`; the place alone means the class `standard`. */
export function parseLocation(text: string | undefined, ownRegion: string): string {
  const said = text === undefined || text === '' ? ownRegion : text
  const location = storageClasses.some((name) => said.endsWith(`-${name}`)) ? said : `${said}-standard`
  if (/^[a-z]{2,6}(-[a-z]{2,8})?\d{0,2}-[a-z_]+$/.test(location)) return location
  throw new Fault('invalid', 'the specified location constraint is not valid', {
    reason: 'InvalidLocationConstraint',
    target: { type: 'field', name: 'LocationConstraint' },
  })
}

/** The place of a provisioning code, without the storage class. */
export const placeOf = (location: string): string => location.slice(0, location.lastIndexOf('-'))

export const bucketCrn = (row: Pick<BucketRow, 'name' | 'account_id' | 'instance_id'>): string =>
  formatCrn({
    serviceName,
    location: 'global',
    accountId: row.account_id,
    serviceInstance: row.instance_id,
    resourceType: 'bucket',
    resource: row.name,
  })

export const instanceTarget = ({ accountId, id, resourceGroupId }: StorageInstance): Target => ({
  accountId,
  serviceName,
  serviceInstance: id,
  resourceGroupId,
})

/** What only some requests ask for, and policies may look at: a key, or what is listed. */
export type Asked = Pick<Target, 'path' | 'prefix' | 'delimiter'>

export const bucketTarget = (instance: StorageInstance, name: string, asked: Asked = {}): Target => ({
  ...instanceTarget(instance),
  resourceType: 'bucket',
  resource: name,
  ...asked,
})

export const noSuchBucket = (): Fault =>
  new Fault('not_found', 'the specified bucket does not exist', { reason: 'NoSuchBucket' })
