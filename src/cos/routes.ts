import { reply } from '#base/contract.ts'
import type { Routes } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import type { Anyone, Context } from '#iam/port.ts'
import { conditionsOf } from './conditions.ts'
import { pageOf } from './contract.ts'
import type { cosContract } from './contract.ts'
import type { Cos } from './cos.ts'
import { instanceHeader } from './identify.ts'
import { factsOfHeaders } from './object.ts'
import {
  copiedFacts,
  listRequestV1,
  listRequestV2,
  locationOf,
  namedParts,
  overridden,
  sourceOf,
  uploadPage,
  withLength,
} from './requests.ts'
import * as view from './views.ts'

export const cosRoutes = ({
  buckets,
  objects,
  copies,
  deletions,
  uploads,
  listing,
}: Cos): Routes<typeof cosContract, Context, Anyone> => ({
  listBuckets: async ({ caller }, { headers }) => {
    const { owner, buckets: rows } = await buckets.list(caller, headers[instanceHeader])
    return view.bucketsView(owner, rows)
  },
  createBucket: async ({ caller }, { path, headers, body }) => {
    const instance = headers[instanceHeader]
    await buckets.create(caller, { name: path.bucket, instance, ...locationOf(body) })
    return reply(undefined, { location: `/${path.bucket}` })
  },
  headBucket: async ({ caller }, { path }) =>
    reply(undefined, view.bucketHeaders(await buckets.get(caller, 'head', path.bucket))),
  getBucketLocation: async ({ caller }, { path }) =>
    view.locationView(await buckets.get(caller, 'get_location', path.bucket)),
  deleteBucket: ({ caller }, { path }) => buckets.delete(caller, path.bucket),

  listObjects: async ({ caller }, { path, query }) => {
    const request = listRequestV1(query)
    return view.listViewV1(await listing.list(caller, path.bucket, request), path.bucket, request, query)
  },
  listObjectsV2: async ({ caller }, { path, query }) => {
    const request = listRequestV2(query)
    return view.listViewV2(await listing.list(caller, path.bucket, request), path.bucket, request, query)
  },
  deleteObjects: async ({ caller }, { path, body }) => {
    if (body.Delete.Object.some(({ VersionId }) => VersionId !== undefined && VersionId !== 'null')) {
      throw new Fault('not_implemented', 'versions are not implemented: Delete names one')
    }
    const keys = body.Delete.Object.map(({ Key }) => Key)
    const { deleted, failed } = await deletions.delete(caller, path.bucket, keys)
    return view.deletionView(body.Delete.Quiet?.trim() === 'true' ? [] : deleted, failed)
  },

  getObject: async ({ caller }, { path, query, headers }) => {
    const { range, 'if-range': ifRange } = headers
    const wanted = { conditions: conditionsOf(headers), range, ifRange, withBody: true }
    const answerHeaders = overridden(query ?? {})
    const shown = await objects.get(caller, path, wanted)
    if (!shown.body) return reply(undefined, view.unmodifiedHeaders(shown), 304)
    const answered = { ...view.objectHeaders(shown, headers), ...answerHeaders }
    return reply(shown.body, answered, shown.range ? 206 : 200)
  },
  headObject: async ({ caller }, { path, headers }) => {
    const wanted = { conditions: conditionsOf(headers), range: headers['range'], withBody: false }
    const shown = await objects.get(caller, path, wanted)
    if (!shown.isModified) return reply(undefined, view.unmodifiedHeaders(shown), 304)
    return reply(undefined, view.objectHeaders(shown, headers), shown.range ? 206 : 200)
  },
  putObject: async ({ caller }, { path, headers, body }) => {
    const wanted = { facts: factsOfHeaders(headers), conditions: conditionsOf(headers), body: withLength(body) }
    return reply(undefined, view.writtenHeaders(await objects.put(caller, path, wanted)))
  },
  copyObject: async ({ caller }, { path, headers }) => {
    const wanted = { source: sourceOf(headers), conditions: conditionsOf(headers), facts: copiedFacts(headers) }
    return view.copyView(await copies.copy(caller, path, wanted))
  },
  deleteObject: ({ caller }, { path }) => objects.delete(caller, path),

  createMultipartUpload: async ({ caller }, { path, headers }) => {
    const algorithm = headers['x-amz-checksum-algorithm']
    const upload = await uploads.begin(caller, path, factsOfHeaders(headers))
    return reply(view.uploadView(upload), algorithm === undefined ? {} : { 'x-amz-checksum-algorithm': algorithm })
  },
  uploadPart: async ({ caller }, { path, query, body }) => {
    const address = { ...path, uploadId: query.uploadId, number: query.partNumber }
    return reply(undefined, view.partHeaders(await uploads.putPart(caller, address, withLength(body))))
  },
  uploadPartCopy: async ({ caller }, { path, query, headers }) => {
    const address = { ...path, uploadId: query.uploadId, number: query.partNumber }
    const range = headers['x-amz-copy-source-range']
    return view.partCopyView(await uploads.copyPart(caller, address, sourceOf(headers), range))
  },
  completeMultipartUpload: async ({ caller, baseUrl }, { path, query, headers, body }) => {
    const wanted = { parts: namedParts(body), conditions: conditionsOf(headers) }
    return view.completionView(await uploads.complete(caller, { ...path, uploadId: query.uploadId }, wanted), baseUrl)
  },
  abortMultipartUpload: ({ caller }, { path, query }) => uploads.abort(caller, { ...path, uploadId: query.uploadId }),
  listParts: async ({ caller }, { path, query }) => {
    const page = { after: query['part-number-marker'] ?? 0, limit: pageOf(query['max-parts']) }
    const listed = await uploads.parts(caller, { ...path, uploadId: query.uploadId }, page)
    return view.partsView(listed, page, query['encoding-type'])
  },
  listMultipartUploads: async ({ caller }, { path, query }) => {
    const page = uploadPage(query)
    const listed = await uploads.list(caller, path.bucket, { ...page, limit: page.limit + 1 })
    return view.uploadsView(listed, query, page.limit)
  },
})
