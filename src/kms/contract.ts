// The wire of the key manager, as data. Source: Key Protect API v2. What is not here is answered "not found" by the edge.

import { Type } from 'typebox'
import type { Static } from 'typebox'
import type { Contract } from '#base/contract.ts'
import {
  keyCollection,
  keyFilter,
  newKeyCollection,
  page,
  registrationCollection,
  rewrapReply,
  rotateBody,
  unwrapBody,
  unwrapReply,
  versionCollection,
  wrapBody,
  wrapReply,
} from './schemas.ts'

const totalCount = { totalCount: Type.Optional(Type.Boolean()) } as const

const registrationQuery = Type.Object({
  ...page,
  ...totalCount,
  preventKeyDeletion: Type.Optional(Type.Boolean()),
  urlEncodedResourceCRNQuery: Type.Optional(Type.String()),
})

/** A deletion answers with the key only where `Prefer: return=representation` asks for it, else 204 without a body. */
const maybeKeyCollection = Type.Unsafe<Static<typeof keyCollection> | undefined>(keyCollection)

export const kmsContract = {
  countKeys: {
    method: 'HEAD',
    path: '/api/v2/keys',
    summary: 'Count keys',
    action: 'kms.secrets.list',
    query: Type.Object(keyFilter),
    status: 200,
  },
  listKeys: {
    method: 'GET',
    path: '/api/v2/keys',
    summary: 'List keys',
    action: 'kms.secrets.list',
    query: Type.Object({ ...page, ...totalCount, ...keyFilter }),
    status: 200,
    reply: keyCollection,
  },
  createKey: {
    method: 'POST',
    path: '/api/v2/keys',
    summary: 'Create or import a key',
    action: 'kms.secrets.create',
    body: newKeyCollection,
    status: 201,
    reply: keyCollection,
  },
  listInstanceRegistrations: {
    method: 'GET',
    path: '/api/v2/keys/registrations',
    summary: 'List registrations on any key',
    action: 'kms.registrations.list',
    query: registrationQuery,
    status: 200,
    reply: registrationCollection,
  },
  getKey: {
    method: 'GET',
    path: '/api/v2/keys/{id}',
    summary: 'Retrieve a key, with the material of a standard key',
    action: 'kms.secrets.read',
    status: 200,
    reply: keyCollection,
  },
  deleteKey: {
    method: 'DELETE',
    path: '/api/v2/keys/{id}',
    summary: 'Delete a key',
    action: 'kms.secrets.delete',
    query: Type.Object({ force: Type.Optional(Type.Boolean()) }),
    status: 200,
    reply: maybeKeyCollection,
  },
  getKeyMetadata: {
    method: 'GET',
    path: '/api/v2/keys/{id}/metadata',
    summary: 'Retrieve what is known of a key, without material',
    action: 'kms.secrets.readmetadata',
    status: 200,
    reply: keyCollection,
  },
  listKeyVersions: {
    method: 'GET',
    path: '/api/v2/keys/{id}/versions',
    summary: 'List the versions of a root key',
    action: 'kms.secrets.listkeyversions',
    query: Type.Object({ ...page, ...totalCount, allKeyStates: Type.Optional(Type.Boolean()) }),
    status: 200,
    reply: versionCollection,
  },
  listKeyRegistrations: {
    method: 'GET',
    path: '/api/v2/keys/{id}/registrations',
    summary: 'List registrations on a key',
    action: 'kms.registrations.listforkey',
    query: registrationQuery,
    status: 200,
    reply: registrationCollection,
  },
  wrapKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/wrap',
    summary: 'Wrap a data key, or a fresh one where none is given',
    action: 'kms.secrets.wrap',
    body: wrapBody,
    bodyOptional: true,
    status: 200,
    reply: wrapReply,
  },
  unwrapKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/unwrap',
    summary: 'Unwrap a data key',
    action: 'kms.secrets.unwrap',
    body: unwrapBody,
    bodyOptional: true,
    status: 200,
    reply: unwrapReply,
  },
  rewrapKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/rewrap',
    summary: 'Wrap a wrapped data key with the newest version',
    action: 'kms.secrets.rewrap',
    body: unwrapBody,
    bodyOptional: true,
    status: 200,
    reply: rewrapReply,
  },
  rotateKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/rotate',
    summary: 'Add a version to a root key',
    action: 'kms.secrets.rotate',
    body: rotateBody,
    bodyOptional: true,
    status: 204,
  },
  disableKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/disable',
    summary: 'Suspend a root key and stop what runs under it',
    action: 'kms.secrets.disable',
    status: 204,
  },
  enableKey: {
    method: 'POST',
    path: '/api/v2/keys/{id}/actions/enable',
    summary: 'Make a suspended root key active again',
    action: 'kms.secrets.enable',
    status: 204,
  },
} as const satisfies Contract
