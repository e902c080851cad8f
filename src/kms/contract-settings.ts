// The wire of what stands around keys, as data. Source: Key Protect API v2; the paths by which services register resources
// and acknowledge events are ours, after the names of their IAM actions, since no document prints them.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { page, registrationCollection } from './schemas.ts'
import {
  acknowledgeBody,
  aliasCollection,
  allowedIpPortReply,
  importTokenBody,
  importTokenMade,
  importTokenShown,
  instancePoliciesBody,
  instancePolicyCollection,
  keyPoliciesBody,
  keyPolicyCollection,
  keyRingCollection,
  registrationBody,
} from './schemas-settings.ts'

const onePolicy = Type.Object({ policy: Type.Optional(Type.String()) })
const registrationPath = '/api/v2/keys/{id}/registrations/{crn}'

export const settingOperations = {
  createAlias: {
    method: 'POST',
    path: '/api/v2/keys/{id}/aliases/{alias}',
    summary: 'Give a key another name',
    action: 'kms.secrets.createalias',
    status: 201,
    reply: aliasCollection,
  },
  deleteAlias: {
    method: 'DELETE',
    path: '/api/v2/keys/{id}/aliases/{alias}',
    summary: 'Take a name from a key',
    action: 'kms.secrets.deletealias',
    status: 204,
  },
  listKeyRings: {
    method: 'GET',
    path: '/api/v2/key_rings',
    summary: 'List key rings',
    action: 'kms.keyrings.list',
    query: Type.Object({ ...page, totalCount: Type.Optional(Type.Boolean()) }),
    status: 200,
    reply: keyRingCollection,
  },
  createKeyRing: {
    method: 'POST',
    path: '/api/v2/key_rings/{id}',
    summary: 'Make a key ring',
    action: 'kms.keyrings.create',
    status: 201,
  },
  deleteKeyRing: {
    method: 'DELETE',
    path: '/api/v2/key_rings/{id}',
    summary: 'Delete a key ring that holds no keys',
    action: 'kms.keyrings.delete',
    query: Type.Object({ force: Type.Optional(Type.Boolean()) }),
    status: 204,
  },
  getKeyPolicies: {
    method: 'GET',
    path: '/api/v2/keys/{id}/policies',
    summary: 'Retrieve the policies of a key',
    action: 'kms.policies.read',
    query: onePolicy,
    status: 200,
    reply: keyPolicyCollection,
  },
  setKeyPolicies: {
    method: 'PUT',
    path: '/api/v2/keys/{id}/policies',
    summary: 'Set policies of a key',
    action: 'kms.policies.write',
    query: onePolicy,
    body: keyPoliciesBody,
    status: 200,
    reply: keyPolicyCollection,
  },
  getInstancePolicies: {
    method: 'GET',
    path: '/api/v2/instance/policies',
    summary: 'Retrieve the policies of the instance',
    action: 'kms.instancepolicies.read',
    query: onePolicy,
    status: 200,
    reply: instancePolicyCollection,
  },
  setInstancePolicies: {
    method: 'PUT',
    path: '/api/v2/instance/policies',
    summary: 'Set policies of the instance',
    action: 'kms.instancepolicies.write',
    query: onePolicy,
    body: instancePoliciesBody,
    status: 204,
  },
  getAllowedIpPort: {
    method: 'GET',
    path: '/api/v2/instance/allowed_ip_port',
    summary: 'Retrieve the port for clients on the private network while addresses are restricted',
    action: 'kms.instance.readallowedipport',
    status: 200,
    reply: allowedIpPortReply,
  },
  createImportToken: {
    method: 'POST',
    path: '/api/v2/import_token',
    summary: 'Make an import token',
    action: 'kms.importtoken.create',
    body: importTokenBody,
    bodyOptional: true,
    status: 200,
    reply: importTokenMade,
  },
  getImportToken: {
    method: 'GET',
    path: '/api/v2/import_token',
    summary: 'Retrieve the import token, which is counted',
    action: 'kms.importtoken.read',
    status: 200,
    reply: importTokenShown,
  },
  createRegistration: {
    method: 'POST',
    path: registrationPath,
    summary: 'Register a resource of the calling service on a key',
    action: 'kms.registrations.create',
    body: registrationBody,
    bodyOptional: true,
    status: 201,
    reply: registrationCollection,
  },
  replaceRegistration: {
    method: 'PUT',
    path: registrationPath,
    summary: 'Write the registration of a resource anew',
    action: 'kms.registrations.write',
    body: registrationBody,
    bodyOptional: true,
    status: 200,
    reply: registrationCollection,
  },
  mergeRegistration: {
    method: 'PATCH',
    path: registrationPath,
    summary: 'Change the registration of a resource where something is said',
    action: 'kms.registrations.merge',
    body: registrationBody,
    bodyOptional: true,
    status: 200,
    reply: registrationCollection,
  },
  deleteRegistration: {
    method: 'DELETE',
    path: registrationPath,
    summary: 'Take the registration of a resource away',
    action: 'kms.registrations.delete',
    status: 204,
  },
  acknowledgeEvent: {
    method: 'POST',
    path: '/api/v2/keys/{id}/event_acknowledge',
    summary: 'Say that the calling service has followed what happened to a key',
    action: 'kms.secrets.eventack',
    body: acknowledgeBody,
    status: 204,
  },
} as const satisfies Contract

const kmip = (method: 'GET' | 'POST' | 'DELETE', path: string, verb: string) =>
  ({
    method,
    path: `/api/v2/kmip_adapters${path}`,
    summary: 'Manage KMIP clients; not served by this version',
    action: `kms.kmip-management.${verb}`,
    status: 200,
  }) as const

/** Documented, and answered 501 for now: clients that probe for KMIP read a refusal that they know. */
export const kmipOperations = {
  listKmipAdapters: kmip('GET', '', 'list'),
  createKmipAdapter: kmip('POST', '', 'create'),
  getKmipAdapter: kmip('GET', '/{id}', 'read'),
  deleteKmipAdapter: kmip('DELETE', '/{id}', 'delete'),
  listKmipCertificates: kmip('GET', '/{id}/certificates', 'list'),
  createKmipCertificate: kmip('POST', '/{id}/certificates', 'create'),
  getKmipCertificate: kmip('GET', '/{id}/certificates/{certificate}', 'read'),
  deleteKmipCertificate: kmip('DELETE', '/{id}/certificates/{certificate}', 'delete'),
  listKmipObjects: kmip('GET', '/{id}/kmip_objects', 'list'),
  getKmipObject: kmip('GET', '/{id}/kmip_objects/{object}', 'read'),
  deleteKmipObject: kmip('DELETE', '/{id}/kmip_objects/{object}', 'delete'),
} as const satisfies Contract
