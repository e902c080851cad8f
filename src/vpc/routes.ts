import type { Routes } from '#base/contract.ts'
import type { Anyone, Context } from '#iam/port.ts'
import type { connectionContract, vpcContract } from './contract.ts'
import { getProfile, listProfiles } from './profiles.ts'
import type { Vpc } from './vpc.ts'

export const vpcRoutes = ({
  regions,
  volumes,
  instances,
  attachments,
}: Vpc): Routes<typeof vpcContract, Context, Anyone> => ({
  listRegions: (context) => regions.list(context),
  getRegion: (context, { path }) => regions.get(context, path.name),
  listRegionZones: (context, { path }) => regions.listZones(context, path.name),
  getRegionZone: (context, { path }) => regions.getZone(context, path.name, path.zone),
  listVolumeProfiles: (context, { query }) => listProfiles(context, query),
  getVolumeProfile: (context, { path }) => getProfile(context, path.name),
  listVolumes: (context, { query }) => volumes.list(context, query),
  createVolume: (context, { body }) => volumes.create(context, body),
  getVolume: (context, { path }) => volumes.get(context, path.id),
  updateVolume: (context, { path, body, headers }) => volumes.update(context, path.id, body, headers['if-match']),
  deleteVolume: (context, { path, headers }) => volumes.remove(context, path.id, headers['if-match']),
  listInstances: (context, { query }) => instances.list(context, query),
  createInstance: (context, { body }) => instances.create(context, body),
  getInstance: (context, { path }) => instances.get(context, path.id),
  deleteInstance: (context, { path }) => instances.remove(context, path.id),
  listVolumeAttachments: (context, { path }) => attachments.list(context, path.instance_id),
  createVolumeAttachment: (context, { path, body }) => attachments.create(context, path.instance_id, body),
  getVolumeAttachment: (context, { path }) => attachments.get(context, path.instance_id, path.id),
  deleteVolumeAttachment: (context, { path }) => attachments.remove(context, path.instance_id, path.id),
})

export const connectionRoutes = ({ connections }: Vpc): Routes<typeof connectionContract, Context, Anyone> => ({
  createConnection: (context, { path }) => connections.create(context, path.instance_id, path.id),
})
