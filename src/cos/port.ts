// What other services may ask of object storage: objects, for whoever they act for, and HMAC keys for service credentials.

import { Fault } from '#base/fault.ts'
import type { ServiceSubject } from '#iam/port.ts'

export interface ObjectName {
  readonly bucket: string
  readonly object: string
  /** Where the bucket lies, such as `us-south`; checked where it is given. */
  readonly location?: string
}

/** Where an object is going to be. */
export interface ObjectPlace {
  readonly bucket: string
  readonly bucketCrn: string
  /** Such as `us-south`. */
  readonly location: string
}

export interface CosPort {
  /**
   * The bytes stay those of one object while they are read, whatever becomes of it; a body that is not read to its end
   * has to be destroyed. Faults: 'not_found' for no such bucket or object; 'forbidden' with the explanation of which
   * authorization is missing, in the bucket's account.
   */
  readObject(wanted: ObjectName & { readonly as: ServiceSubject }): Promise<{
    readonly sizeBytes: number
    readonly etag: string
    readonly contentType: string
    readonly body: AsyncIterable<Uint8Array> & { destroy(): void }
  }>
  /** Whole or not at all: nothing is there before the promise resolves. Faults as above. */
  writeObject(
    wanted: ObjectName & {
      readonly as: ServiceSubject
      readonly contentType: string
      readonly body: AsyncIterable<Uint8Array>
    },
  ): Promise<{ readonly sizeBytes: number; readonly etag: string }>
  /** Whether it may be written, before there is anything to write. Faults as above. */
  placeForWriting(wanted: ObjectName & { readonly as: ServiceSubject }): Promise<ObjectPlace>
  /** Nothing is said where there was nothing. Faults as above. */
  deleteObject(wanted: ObjectName & { readonly as: ServiceSubject }): Promise<void>
  createHmacKey(owner: {
    readonly accountId: string
    readonly instanceId: string
    readonly iamId: string
  }): Promise<{ readonly accessKeyId: string; readonly secretAccessKey: string }>
  /** May be repeated. */
  deleteHmacKey(accountId: string, accessKeyId: string): Promise<void>
}

/** `cos://LOCATION/BUCKET/OBJECT`, as VPC has it. The object may be percent-encoded and have slashes. */
export function parseCosUrl(text: string): Required<ObjectName> {
  const [, location, bucket, rest] = /^cos:\/\/([a-z0-9-]{1,40})\/([a-z0-9.-]{1,63})\/(.+)$/s.exec(text) ?? []
  if (location !== undefined && bucket !== undefined && rest !== undefined) {
    try {
      return { location, bucket, object: decodeURIComponent(rest) }
    } catch {
      // Falls through: the encoding is broken.
    }
  }
  throw new Fault('invalid', `${JSON.stringify(text.slice(0, 200))} is not cos://LOCATION/BUCKET/OBJECT`)
}

export const printCosUrl = ({ location, bucket, object }: Required<ObjectName>): string =>
  `cos://${location}/${bucket}/${object.split('/').map(encodeURIComponent).join('/')}`
