// The wire of VPC, as data. Source: VPC API. What is not here is answered `invalid_route` by the edge.

import { Type } from 'typebox'
import type { Contract } from '#base/contract.ts'
import { imageContract } from './contract-images.ts'
import { machineContract } from './contract-machines.ts'
import { networkContract } from './contract-network.ts'
import { snapshotContract } from './contract-snapshots.ts'
import {
  attachmentCollection,
  attachmentPrototype,
  attachmentReply,
  connectionReply,
  consoleLogReply,
  instanceCollection,
  instancePrototype,
  instanceQuery,
  instanceReply,
} from './instance-schemas.ts'
import { paged, versionedQuery } from './schemas.ts'
import {
  volumeCollection,
  volumePatch,
  volumeProfileCollection,
  volumeProfileReply,
  volumePrototype,
  volumeQuery,
  volumeReply,
} from './volume-schemas.ts'

const regionReply = Type.Object({
  endpoint: Type.String(),
  href: Type.String(),
  name: Type.String(),
  status: Type.Enum(['available', 'unavailable']),
})

const zoneReply = Type.Object({
  data_center: Type.Optional(Type.String()),
  href: Type.String(),
  name: Type.String(),
  region: Type.Object({ href: Type.String(), name: Type.String() }),
  status: Type.Enum(['available', 'impaired', 'unavailable', 'unassigned']),
  universal_name: Type.Optional(Type.String()),
})

/** Regions and profiles are the same for everybody who is known: the edge authenticates, and nobody is refused. */
const geography = {
  listRegions: {
    method: 'GET',
    path: '/v1/regions',
    summary: 'List all regions',
    action: 'is.region.region.list',
    query: versionedQuery,
    status: 200,
    reply: Type.Object({ regions: Type.Array(regionReply) }),
  },
  getRegion: {
    method: 'GET',
    path: '/v1/regions/{name}',
    summary: 'Retrieve a region',
    action: 'is.region.region.read',
    query: versionedQuery,
    status: 200,
    reply: regionReply,
  },
  listRegionZones: {
    method: 'GET',
    path: '/v1/regions/{name}/zones',
    summary: 'List all zones in a region',
    action: 'is.zone.zone.list',
    query: versionedQuery,
    status: 200,
    reply: Type.Object({ zones: Type.Array(zoneReply) }),
  },
  getRegionZone: {
    method: 'GET',
    path: '/v1/regions/{name}/zones/{zone}',
    summary: 'Retrieve a zone',
    action: 'is.zone.zone.read',
    query: versionedQuery,
    status: 200,
    reply: zoneReply,
  },
  listVolumeProfiles: {
    method: 'GET',
    path: '/v1/volume/profiles',
    summary: 'List all volume profiles',
    action: 'is.volume-profile.volume-profile.list',
    query: Type.Object(paged),
    status: 200,
    reply: volumeProfileCollection,
  },
  getVolumeProfile: {
    method: 'GET',
    path: '/v1/volume/profiles/{name}',
    summary: 'Retrieve a volume profile',
    action: 'is.volume-profile.volume-profile.read',
    query: versionedQuery,
    status: 200,
    reply: volumeProfileReply,
  },
} as const satisfies Contract

const volumes = {
  listVolumes: {
    method: 'GET',
    path: '/v1/volumes',
    summary: 'List all volumes',
    action: 'is.volume.volume.list',
    query: volumeQuery,
    status: 200,
    reply: volumeCollection,
  },
  createVolume: {
    method: 'POST',
    path: '/v1/volumes',
    summary: 'Create a volume',
    action: 'is.volume.volume.create',
    query: versionedQuery,
    body: volumePrototype,
    status: 201,
    reply: volumeReply,
  },
  getVolume: {
    method: 'GET',
    path: '/v1/volumes/{id}',
    summary: 'Retrieve a volume',
    action: 'is.volume.volume.read',
    query: versionedQuery,
    status: 200,
    reply: volumeReply,
  },
  updateVolume: {
    method: 'PATCH',
    path: '/v1/volumes/{id}',
    summary: 'Update a volume',
    action: 'is.volume.volume.update',
    query: versionedQuery,
    body: volumePatch,
    status: 200,
    reply: volumeReply,
  },
  deleteVolume: {
    method: 'DELETE',
    path: '/v1/volumes/{id}',
    summary: 'Delete a volume',
    action: 'is.volume.volume.delete',
    query: versionedQuery,
    status: 204,
  },
} as const satisfies Contract

const instances = {
  listInstances: {
    method: 'GET',
    path: '/v1/instances',
    summary: 'List all instances',
    action: 'is.instance.instance.list',
    query: instanceQuery,
    status: 200,
    reply: instanceCollection,
  },
  createInstance: {
    method: 'POST',
    path: '/v1/instances',
    summary: 'Create an instance',
    action: 'is.instance.instance.create',
    query: versionedQuery,
    body: instancePrototype,
    status: 201,
    reply: instanceReply,
  },
  getInstance: {
    method: 'GET',
    path: '/v1/instances/{id}',
    summary: 'Retrieve an instance',
    action: 'is.instance.instance.read',
    query: versionedQuery,
    status: 200,
    reply: instanceReply,
  },
  deleteInstance: {
    method: 'DELETE',
    path: '/v1/instances/{id}',
    summary: 'Delete an instance',
    action: 'is.instance.instance.delete',
    query: versionedQuery,
    status: 204,
  },
  listVolumeAttachments: {
    method: 'GET',
    path: '/v1/instances/{instance_id}/volume_attachments',
    summary: 'List all volume attachments on an instance',
    action: 'is.instance.instance.read',
    query: versionedQuery,
    status: 200,
    reply: attachmentCollection,
  },
  createVolumeAttachment: {
    method: 'POST',
    path: '/v1/instances/{instance_id}/volume_attachments',
    summary: 'Create a volume attachment on an instance',
    action: 'is.instance.instance.update',
    query: versionedQuery,
    body: attachmentPrototype,
    status: 201,
    reply: attachmentReply,
  },
  getVolumeAttachment: {
    method: 'GET',
    path: '/v1/instances/{instance_id}/volume_attachments/{id}',
    summary: 'Retrieve a volume attachment',
    action: 'is.instance.instance.read',
    query: versionedQuery,
    status: 200,
    reply: attachmentReply,
  },
  deleteVolumeAttachment: {
    method: 'DELETE',
    path: '/v1/instances/{instance_id}/volume_attachments/{id}',
    summary: 'Delete a volume attachment',
    action: 'is.instance.instance.update',
    query: versionedQuery,
    status: 204,
  },
} as const satisfies Contract

export const vpcContract = {
  ...geography,
  ...volumes,
  ...machineContract,
  ...imageContract,
  ...instances,
  ...networkContract,
  ...snapshotContract,
} as const satisfies Contract

/**
 * Ours, without version and generation. IBM's hypervisors connect by themselves, whoever runs his own machine has to be told
 * how; and where machines are run here, what they print can be read.
 */
export const vpcOwnContract = {
  createConnection: {
    method: 'POST',
    path: '/keyward/v1/instances/{instance_id}/volume_attachments/{id}/connection',
    summary: 'Issue a secret with which one machine can open an attached volume',
    action: 'is.instance.instance.update',
    status: 201,
    reply: connectionReply,
  },
  getConsoleLog: {
    method: 'GET',
    path: '/keyward/v1/instances/{id}/console_log',
    summary: 'Read the end of what an instance has printed on its serial console',
    action: 'is.instance.instance.operate',
    status: 200,
    reply: consoleLogReply,
  },
} as const satisfies Contract
