// The wire of images and operating systems, as data. Source: VPC API, "Images".

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { imageExportContract } from './contract-image-exports.ts'
import { imageCollection, imagePatch, imagePrototype, imageQuery, imageReply } from './image-schemas.ts'
import { instanceProfileCollection, operatingSystemCollection, operatingSystemReply } from './machine-schemas.ts'
import { paged, versionedQuery } from './schemas.ts'

export const imageContract = {
  ...imageExportContract,
  listImages: {
    method: 'GET',
    path: '/v1/images',
    summary: 'List all images',
    action: 'is.image.image.list',
    query: imageQuery,
    status: 200,
    reply: imageCollection,
  },
  createImage: {
    method: 'POST',
    path: '/v1/images',
    summary: 'Create an image',
    action: 'is.image.image.create',
    query: versionedQuery,
    body: imagePrototype,
    status: 201,
    reply: imageReply,
  },
  getImage: {
    method: 'GET',
    path: '/v1/images/{id}',
    summary: 'Retrieve an image',
    action: 'is.image.image.read',
    query: versionedQuery,
    status: 200,
    reply: imageReply,
  },
  updateImage: {
    method: 'PATCH',
    path: '/v1/images/{id}',
    summary: 'Update an image',
    action: 'is.image.image.update',
    query: versionedQuery,
    body: imagePatch,
    status: 200,
    reply: imageReply,
  },
  deleteImage: {
    method: 'DELETE',
    path: '/v1/images/{id}',
    summary: 'Delete an image',
    action: 'is.image.image.delete',
    query: versionedQuery,
    status: 204,
  },
  deprecateImage: {
    method: 'POST',
    path: '/v1/images/{id}/deprecate',
    summary: 'Deprecate an image',
    action: 'is.image.image.update',
    query: versionedQuery,
    status: 204,
  },
  obsoleteImage: {
    method: 'POST',
    path: '/v1/images/{id}/obsolete',
    summary: 'Obsolete an image',
    action: 'is.image.image.update',
    query: versionedQuery,
    status: 204,
  },
  listImageInstanceProfiles: {
    method: 'GET',
    path: '/v1/images/{id}/instance_profiles',
    summary: 'List instance profiles compatible with an image',
    action: 'is.image.image.read',
    query: Type.Object(paged),
    status: 200,
    reply: instanceProfileCollection,
  },
  listOperatingSystems: {
    method: 'GET',
    path: '/v1/operating_systems',
    summary: 'List all operating systems',
    action: 'is.operating-system.operating-system.list',
    query: Type.Object(paged),
    status: 200,
    reply: operatingSystemCollection,
  },
  getOperatingSystem: {
    method: 'GET',
    path: '/v1/operating_systems/{name}',
    summary: 'Retrieve an operating system',
    action: 'is.operating-system.operating-system.read',
    query: versionedQuery,
    status: 200,
    reply: operatingSystemReply,
  },
} as const satisfies Contract
