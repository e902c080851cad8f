// The wire of image export jobs, as data. Source: VPC API, "ImageExportJob", "ImageExportJobPrototype",
// "ImageExportJobPatch".

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { closed, reason, text, versionedQuery, when } from './schemas.ts'

const bucketIdentity = Type.Object({ name: Type.Optional(text), crn: Type.Optional(text) }, closed)

export const imageExportPrototype = Type.Object(
  {
    storage_bucket: bucketIdentity,
    format: Type.Optional(Type.Enum(['qcow2', 'vhd'])),
    name: Type.Optional(Type.String()),
  },
  closed,
)
export const imageExportPatch = Type.Object({ name: Type.Optional(Type.String()) }, closed)

const imageExportReply = Type.Object({
  completed_at: Type.Optional(when),
  created_at: when,
  encrypted_data_key: Type.Optional(Type.String()),
  format: Type.Enum(['qcow2', 'vhd']),
  href: Type.String(),
  id: Type.String(),
  name: Type.String(),
  resource_type: Type.Literal('image_export_job'),
  started_at: Type.Optional(when),
  status: Type.Enum(['deleting', 'failed', 'queued', 'running', 'succeeded']),
  status_reasons: Type.Array(reason),
  storage_bucket: Type.Object({ crn: Type.String(), name: Type.String() }),
  storage_href: Type.String(),
  storage_object: Type.Object({ name: Type.String() }),
})

const collection = '/v1/images/{image_id}/export_jobs'
const query = versionedQuery

export const imageExportContract = {
  listImageExportJobs: {
    method: 'GET',
    path: collection,
    summary: 'List export jobs for an image',
    action: 'is.image.image-export-job.list',
    query,
    status: 200,
    reply: Type.Object({ export_jobs: Type.Array(imageExportReply) }),
  },
  createImageExportJob: {
    method: 'POST',
    path: collection,
    summary: 'Create an export job for an image',
    action: 'is.image.image-export-job.create',
    query,
    body: imageExportPrototype,
    status: 201,
    reply: imageExportReply,
  },
  getImageExportJob: {
    method: 'GET',
    path: `${collection}/{id}`,
    summary: 'Retrieve an image export job',
    action: 'is.image.image-export-job.read',
    query,
    status: 200,
    reply: imageExportReply,
  },
  updateImageExportJob: {
    method: 'PATCH',
    path: `${collection}/{id}`,
    summary: 'Update an image export job',
    action: 'is.image.image-export-job.update',
    query,
    body: imageExportPatch,
    status: 200,
    reply: imageExportReply,
  },
  deleteImageExportJob: {
    method: 'DELETE',
    path: `${collection}/{id}`,
    summary: 'Delete an image export job',
    action: 'is.image.image-export-job.delete',
    query,
    status: 204,
  },
} as const satisfies Contract
