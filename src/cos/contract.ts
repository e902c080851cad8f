// The wire of object storage: the S3 dialect of IBM Cloud Object Storage. Sources: IBM Cloud Object Storage API; Amazon S3
// API. Where several operations share a method and a path, the first of them that fits is meant.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { objectPageMax, objectPartNumberMax, objectsPerDeletionMax } from '#base/limits-cos.ts'

const open = { additionalProperties: true } as const
const text = Type.String()
const optionalText = Type.Optional(text)
const count = Type.Optional(Type.Integer({ minimum: 0, maximum: 2 ** 31 - 1 }))
const element = Type.Record(Type.String(), Type.Unknown())
const xml = (name: string) => Type.Object({ [name]: element })

/** No more is given, whatever is asked for. */
export const pageOf = (asked: number | undefined): number => Math.min(asked ?? objectPageMax, objectPageMax)

const listing = {
  prefix: optionalText,
  delimiter: optionalText,
  'max-keys': count,
  'encoding-type': Type.Optional(Type.Literal('url')),
}

const partNumber = Type.Integer({ minimum: 1, maximum: objectPartNumberMax })

const bucketOperations = {
  listBuckets: {
    method: 'GET',
    path: '/',
    summary: 'Lists the buckets of a service instance (header ibm-service-instance-id)',
    action: 'cloud-object-storage.account.get_account_buckets',
    status: 200,
    reply: xml('ListAllMyBucketsResult'),
    replyType: 'xml',
  },
  getBucketLocation: {
    method: 'GET',
    path: '/{bucket}',
    when: { query: ['location'] },
    summary: 'Shows where a bucket lies, and its storage class',
    action: 'cloud-object-storage.bucket.get_location',
    status: 200,
    reply: xml('LocationConstraint'),
    replyType: 'xml',
  },
  listMultipartUploads: {
    method: 'GET',
    path: '/{bucket}',
    when: { query: ['uploads'] },
    summary: 'Lists the uploads of a bucket that are neither completed nor aborted',
    action: 'cloud-object-storage.bucket.get_uploads',
    query: Type.Object({
      prefix: optionalText,
      delimiter: optionalText,
      'key-marker': optionalText,
      'upload-id-marker': optionalText,
      'max-uploads': count,
      'encoding-type': Type.Optional(Type.Literal('url')),
    }),
    status: 200,
    reply: xml('ListMultipartUploadsResult'),
    replyType: 'xml',
  },
  listObjectsV2: {
    method: 'GET',
    path: '/{bucket}',
    when: { query: ['list-type'] },
    summary: 'Lists the objects of a bucket, by pages with a token',
    action: 'cloud-object-storage.bucket.get',
    query: Type.Object({
      ...listing,
      'list-type': Type.Literal('2'),
      'continuation-token': optionalText,
      'start-after': optionalText,
      'fetch-owner': optionalText,
    }),
    status: 200,
    reply: xml('ListBucketResult'),
    replyType: 'xml',
  },
  listObjects: {
    method: 'GET',
    path: '/{bucket}',
    summary: 'Lists the objects of a bucket, by pages with a marker',
    action: 'cloud-object-storage.bucket.get',
    query: Type.Object({ ...listing, marker: optionalText }),
    status: 200,
    reply: xml('ListBucketResult'),
    replyType: 'xml',
  },
  headBucket: {
    method: 'HEAD',
    path: '/{bucket}',
    summary: 'Tells whether a bucket is there',
    action: 'cloud-object-storage.bucket.head',
    status: 200,
  },
  createBucket: {
    method: 'PUT',
    path: '/{bucket}',
    summary: 'Makes a bucket in a service instance (header ibm-service-instance-id)',
    action: 'cloud-object-storage.bucket.put_bucket',
    body: Type.Object({
      CreateBucketConfiguration: Type.Union([Type.Object({ LocationConstraint: optionalText }, open), text]),
    }),
    bodyType: 'xml',
    bodyOptional: true,
    status: 200,
  },
  deleteBucket: {
    method: 'DELETE',
    path: '/{bucket}',
    summary: 'Removes an empty bucket',
    action: 'cloud-object-storage.bucket.delete_bucket',
    status: 204,
  },
  deleteObjects: {
    method: 'POST',
    path: '/{bucket}',
    when: { query: ['delete'] },
    summary: 'Removes up to 1000 objects',
    action: 'cloud-object-storage.object.post_multi_delete',
    body: Type.Object({
      Delete: Type.Object(
        {
          Object: Type.Array(Type.Object({ Key: text, VersionId: optionalText }, open), {
            minItems: 1,
            maxItems: objectsPerDeletionMax,
          }),
          Quiet: optionalText,
        },
        open,
      ),
    }),
    bodyType: 'xml',
    status: 200,
    reply: xml('DeleteResult'),
    replyType: 'xml',
  },
} as const satisfies Contract

const objectOperations = {
  getObject: {
    method: 'GET',
    path: '/{bucket}/{key}',
    summary: 'Reads an object, or a range of its bytes',
    action: 'cloud-object-storage.object.get',
    status: 200,
    replyType: 'stream',
  },
  headObject: {
    method: 'HEAD',
    path: '/{bucket}/{key}',
    summary: 'Shows what an object is',
    action: 'cloud-object-storage.object.head',
    status: 200,
  },
  copyObject: {
    method: 'PUT',
    path: '/{bucket}/{key}',
    when: { header: 'x-amz-copy-source' },
    summary: 'Copies an object',
    action: 'cloud-object-storage.object.copy',
    status: 200,
    reply: xml('CopyObjectResult'),
    replyType: 'xml',
  },
  putObject: {
    method: 'PUT',
    path: '/{bucket}/{key}',
    summary: 'Writes an object, whole or not at all',
    action: 'cloud-object-storage.object.put',
    bodyType: 'stream',
    status: 200,
  },
  deleteObject: {
    method: 'DELETE',
    path: '/{bucket}/{key}',
    summary: 'Removes an object',
    action: 'cloud-object-storage.object.delete',
    status: 204,
  },
} as const satisfies Contract

const uploadOperations = {
  createMultipartUpload: {
    method: 'POST',
    path: '/{bucket}/{key}',
    when: { query: ['uploads'] },
    summary: 'Begins an upload in parts',
    action: 'cloud-object-storage.object.post_initiate_upload',
    status: 200,
    reply: xml('InitiateMultipartUploadResult'),
    replyType: 'xml',
  },
  uploadPartCopy: {
    method: 'PUT',
    path: '/{bucket}/{key}',
    when: { query: ['uploadId', 'partNumber'], header: 'x-amz-copy-source' },
    summary: 'Copies (part of) an object as a part',
    action: 'cloud-object-storage.object.copy_part',
    query: Type.Object({ uploadId: text, partNumber }),
    status: 200,
    reply: xml('CopyPartResult'),
    replyType: 'xml',
  },
  uploadPart: {
    method: 'PUT',
    path: '/{bucket}/{key}',
    when: { query: ['uploadId', 'partNumber'] },
    summary: 'Writes a part',
    action: 'cloud-object-storage.object.put_part',
    query: Type.Object({ uploadId: text, partNumber }),
    bodyType: 'stream',
    status: 200,
  },
  completeMultipartUpload: {
    method: 'POST',
    path: '/{bucket}/{key}',
    when: { query: ['uploadId'] },
    summary: 'Makes an object of the parts',
    action: 'cloud-object-storage.object.post_complete_upload',
    query: Type.Object({ uploadId: text }),
    body: Type.Object({
      CompleteMultipartUpload: Type.Object(
        {
          Part: Type.Array(
            Type.Object({ PartNumber: Type.String({ pattern: '^\\s*[0-9]{1,5}\\s*$' }), ETag: text }, open),
            {
              minItems: 1,
              maxItems: objectPartNumberMax,
            },
          ),
        },
        open,
      ),
    }),
    bodyType: 'xml',
    status: 200,
    reply: xml('CompleteMultipartUploadResult'),
    replyType: 'xml',
  },
  abortMultipartUpload: {
    method: 'DELETE',
    path: '/{bucket}/{key}',
    when: { query: ['uploadId'] },
    summary: 'Forgets an upload and its parts',
    action: 'cloud-object-storage.object.delete_upload',
    query: Type.Object({ uploadId: text }),
    status: 204,
  },
  listParts: {
    method: 'GET',
    path: '/{bucket}/{key}',
    when: { query: ['uploadId'] },
    summary: 'Lists the parts of an upload',
    action: 'cloud-object-storage.object.get_uploads',
    query: Type.Object({
      uploadId: text,
      'max-parts': count,
      'part-number-marker': count,
      'encoding-type': Type.Optional(Type.Literal('url')),
    }),
    status: 200,
    reply: xml('ListPartsResult'),
    replyType: 'xml',
  },
} as const satisfies Contract

/** Uploads first: what they are asked by is more than what objects are. */
export const cosContract = { ...bucketOperations, ...uploadOperations, ...objectOperations } as const satisfies Contract
