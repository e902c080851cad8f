// The wire of profiles, images and what is done with instances, as data. Source: VPC API.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import {
  actionPrototype,
  actionReply,
  attachmentPatch,
  attachmentReply,
  initializationReply,
  instancePatch,
  instanceReply,
} from './instance-schemas.ts'
import { instanceProfileCollection, instanceProfileReply } from './machine-schemas.ts'
import { networkAttachmentCollection, networkAttachmentReply, nicCollection, nicReply } from './network-schemas.ts'
import { paged, versionedQuery } from './schemas.ts'

/** Machines as they could be: the same for everybody who is known. */
const machines = {
  listVolumeInstanceProfiles: {
    method: 'GET',
    path: '/v1/volumes/{id}/instance_profiles',
    summary: 'List the instance profiles that go with a volume',
    action: 'is.volume.volume.read',
    query: Type.Object(paged),
    status: 200,
    reply: instanceProfileCollection,
  },
  listInstanceProfiles: {
    method: 'GET',
    path: '/v1/instance/profiles',
    summary: 'List all instance profiles',
    action: 'is.instance-profile.instance-profile.list',
    query: Type.Object(paged),
    status: 200,
    reply: instanceProfileCollection,
  },
  getInstanceProfile: {
    method: 'GET',
    path: '/v1/instance/profiles/{name}',
    summary: 'Retrieve an instance profile',
    action: 'is.instance-profile.instance-profile.read',
    query: versionedQuery,
    status: 200,
    reply: instanceProfileReply,
  },
} as const satisfies Contract

const operation = {
  updateInstance: {
    method: 'PATCH',
    path: '/v1/instances/{id}',
    summary: 'Update an instance',
    action: 'is.instance.instance.update',
    query: versionedQuery,
    body: instancePatch,
    status: 200,
    reply: instanceReply,
  },
  createInstanceAction: {
    method: 'POST',
    path: '/v1/instances/{instance_id}/actions',
    summary: 'Start, stop or reboot an instance',
    action: 'is.instance.instance.update',
    query: versionedQuery,
    body: actionPrototype,
    status: 201,
    reply: actionReply,
  },
  getInstanceInitialization: {
    method: 'GET',
    path: '/v1/instances/{id}/initialization',
    summary: 'Retrieve the initialization of an instance',
    action: 'is.instance.instance.read',
    query: versionedQuery,
    status: 200,
    reply: initializationReply,
  },
  listInstanceNetworkInterfaces: {
    method: 'GET',
    path: '/v1/instances/{instance_id}/network_interfaces',
    summary: 'List all network interfaces of an instance',
    action: 'is.instance.instance.read',
    query: versionedQuery,
    status: 200,
    reply: nicCollection,
  },
  getInstanceNetworkInterface: {
    method: 'GET',
    path: '/v1/instances/{instance_id}/network_interfaces/{id}',
    summary: 'Retrieve a network interface of an instance',
    action: 'is.instance.instance.read',
    query: versionedQuery,
    status: 200,
    reply: nicReply,
  },
  listInstanceNetworkAttachments: {
    method: 'GET',
    path: '/v1/instances/{instance_id}/network_attachments',
    summary: 'List all network attachments of an instance',
    action: 'is.instance.instance.read',
    query: versionedQuery,
    status: 200,
    reply: networkAttachmentCollection,
  },
  getInstanceNetworkAttachment: {
    method: 'GET',
    path: '/v1/instances/{instance_id}/network_attachments/{id}',
    summary: 'Retrieve a network attachment of an instance',
    action: 'is.instance.instance.read',
    query: versionedQuery,
    status: 200,
    reply: networkAttachmentReply,
  },
  updateVolumeAttachment: {
    method: 'PATCH',
    path: '/v1/instances/{instance_id}/volume_attachments/{id}',
    summary: 'Update a volume attachment',
    action: 'is.instance.instance.update',
    query: versionedQuery,
    body: attachmentPatch,
    status: 200,
    reply: attachmentReply,
  },
} as const satisfies Contract

export const machineContract = { ...machines, ...operation } as const satisfies Contract
