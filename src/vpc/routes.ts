import type { Routes } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import type { Anyone, Context } from '#iam/port.ts'
import type { networkContract } from './contract-network.ts'
import type { reencryptionContract } from './contract-reencryption.ts'
import type { snapshotContract } from './contract-snapshots.ts'
import { notYetContract } from './contract-not-yet.ts'
import type { vpcContract, vpcOwnContract } from './contract.ts'
import type { imageContract } from './contract-images.ts'
import { getOperatingSystem, listOperatingSystems } from './images.ts'
import { getInstanceProfile, listInstanceProfiles } from './instance-profiles.ts'
import { getProfile, listProfiles } from './profiles.ts'
import type { Vpc } from './vpc.ts'

const networkRoutes = ({
  networks,
  subnets,
  securityGroups,
  virtualInterfaces,
  sshKeys,
}: Vpc): Routes<typeof networkContract, Context, Anyone> => ({
  listVpcs: (context, { query }) => networks.list(context, query),
  createVpc: (context, { body }) => networks.create(context, body),
  getVpc: (context, { path }) => networks.get(context, path.id),
  updateVpc: (context, { path, body, headers }) => networks.update(context, path.id, body, headers['if-match']),
  deleteVpc: (context, { path, headers }) => networks.remove(context, path.id, headers['if-match']),
  getVpcDefaultNetworkAcl: (context, { path }) => networks.defaultAcl(context, path.id),
  getVpcDefaultRoutingTable: (context, { path }) => networks.defaultRoutingTable(context, path.id),
  getVpcDefaultSecurityGroup: (context, { path }) => securityGroups.ofVpc(context, path.id),
  listVpcAddressPrefixes: (context, { path, query }) => networks.listPrefixes(context, path.vpc_id, query),
  createVpcAddressPrefix: (context, { path, body }) => networks.createPrefix(context, path.vpc_id, body),
  getVpcAddressPrefix: (context, { path }) => networks.getPrefix(context, path.vpc_id, path.id),
  updateVpcAddressPrefix: (context, { path, body }) => networks.updatePrefix(context, path.vpc_id, path.id, body),
  deleteVpcAddressPrefix: (context, { path }) => networks.removePrefix(context, path.vpc_id, path.id),
  listSubnets: (context, { query }) => subnets.list(context, query),
  createSubnet: (context, { body }) => subnets.create(context, body),
  getSubnet: (context, { path }) => subnets.get(context, path.id),
  updateSubnet: (context, { path, body }) => subnets.update(context, path.id, body),
  deleteSubnet: (context, { path }) => subnets.remove(context, path.id),
  listSubnetReservedIps: (context, { path, query }) => subnets.listAddresses(context, path.subnet_id, query),
  createSubnetReservedIp: (context, { path, body }) => subnets.createAddress(context, path.subnet_id, body),
  getSubnetReservedIp: (context, { path }) => subnets.getAddress(context, path.subnet_id, path.id),
  updateSubnetReservedIp: (context, { path, body }) => subnets.updateAddress(context, path.subnet_id, path.id, body),
  deleteSubnetReservedIp: (context, { path }) => subnets.removeAddress(context, path.subnet_id, path.id),
  listSecurityGroups: (context, { query }) => securityGroups.list(context, query),
  createSecurityGroup: (context, { body }) => securityGroups.create(context, body),
  getSecurityGroup: (context, { path }) => securityGroups.get(context, path.id),
  updateSecurityGroup: (context, { path, body }) => securityGroups.update(context, path.id, body),
  deleteSecurityGroup: (context, { path }) => securityGroups.remove(context, path.id),
  listSecurityGroupRules: (context, { path }) => securityGroups.listRules(context, path.group_id),
  createSecurityGroupRule: (context, { path, body }) => securityGroups.createRule(context, path.group_id, body),
  getSecurityGroupRule: (context, { path }) => securityGroups.getRule(context, path.group_id, path.id),
  updateSecurityGroupRule: (context, { path, body }) =>
    securityGroups.updateRule(context, path.group_id, path.id, body),
  deleteSecurityGroupRule: (context, { path }) => securityGroups.removeRule(context, path.group_id, path.id),
  listVirtualNetworkInterfaces: (context, { query }) => virtualInterfaces.list(context, query),
  createVirtualNetworkInterface: (context, { body }) => virtualInterfaces.create(context, body),
  getVirtualNetworkInterface: (context, { path }) => virtualInterfaces.get(context, path.id),
  updateVirtualNetworkInterface: (context, { path, body, headers }) =>
    virtualInterfaces.update(context, path.id, body, headers['if-match']),
  deleteVirtualNetworkInterface: (context, { path, headers }) =>
    virtualInterfaces.remove(context, path.id, headers['if-match']),
  listKeys: (context, { query }) => sshKeys.list(context, query),
  createKey: (context, { body }) => sshKeys.create(context, body),
  getKey: (context, { path }) => sshKeys.get(context, path.id),
  updateKey: (context, { path, body }) => sshKeys.update(context, path.id, body),
  deleteKey: (context, { path }) => sshKeys.remove(context, path.id),
})

const snapshotRoutes = ({ snapshots, consistencyGroups }: Vpc): Routes<typeof snapshotContract, Context, Anyone> => ({
  listSnapshots: (context, { query }) => snapshots.list(context, query),
  createSnapshot: (context, { body }) => snapshots.create(context, body),
  deleteSnapshots: (context, { query }) => snapshots.removeOfVolume(context, query),
  getSnapshot: (context, { path }) => snapshots.get(context, path.id),
  updateSnapshot: (context, { path, body, headers }) => snapshots.update(context, path.id, body, headers['if-match']),
  deleteSnapshot: (context, { path, headers }) => snapshots.remove(context, path.id, headers['if-match']),
  listSnapshotClones: (context, { path }) => snapshots.listClones(context, path.id),
  getSnapshotClone: (context, { path }) => snapshots.getClone(context, path.id, path.zone_name),
  createSnapshotClone: (context, { path }) => snapshots.putClone(context, path.id, path.zone_name),
  deleteSnapshotClone: (context, { path }) => snapshots.removeClone(context, path.id, path.zone_name),
  listSnapshotInstanceProfiles: (context, { path, query }) => snapshots.listInstanceProfiles(context, path.id, query),
  listSnapshotConsistencyGroups: (context, { query }) => consistencyGroups.list(context, query),
  createSnapshotConsistencyGroup: (context, { body }) => consistencyGroups.create(context, body),
  getSnapshotConsistencyGroup: (context, { path }) => consistencyGroups.get(context, path.id),
  updateSnapshotConsistencyGroup: (context, { path, body, headers }) =>
    consistencyGroups.update(context, path.id, body, headers['if-match']),
  deleteSnapshotConsistencyGroup: (context, { path, headers }) =>
    consistencyGroups.remove(context, path.id, headers['if-match']),
})

const imageRoutes = ({ images, imageExports }: Vpc): Routes<typeof imageContract, Context, Anyone> => ({
  listImages: (context, { query }) => images.list(context, query),
  createImage: (context, { body }) => images.create(context, body),
  getImage: (context, { path }) => images.get(context, path.id),
  updateImage: (context, { path, body }) => images.update(context, path.id, body),
  deleteImage: (context, { path }) => images.remove(context, path.id),
  deprecateImage: (context, { path }) => images.deprecate(context, path.id),
  obsoleteImage: (context, { path }) => images.obsolete(context, path.id),
  listImageInstanceProfiles: (context, { path, query }) => images.listInstanceProfiles(context, path.id, query),
  listImageExportJobs: (context, { path }) => imageExports.list(context, path.image_id),
  createImageExportJob: (context, { path, body }) => imageExports.create(context, path.image_id, body),
  getImageExportJob: (context, { path }) => imageExports.get(context, path.image_id, path.id),
  updateImageExportJob: (context, { path, body }) => imageExports.update(context, path.image_id, path.id, body),
  deleteImageExportJob: (context, { path }) => imageExports.remove(context, path.image_id, path.id),
  listOperatingSystems: async (context, { query }) => listOperatingSystems(context, query),
  getOperatingSystem: async (context, { path }) => getOperatingSystem(context, path.name),
})

export const vpcRoutes = (vpc: Vpc): Routes<typeof vpcContract, Context, Anyone> => {
  const { regions, volumes, instances, attachments } = vpc
  return {
    ...networkRoutes(vpc),
    ...snapshotRoutes(vpc),
    ...imageRoutes(vpc),
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
    listVolumeInstanceProfiles: (context, { path, query }) => volumes.listInstanceProfiles(context, path.id, query),
    listInstanceProfiles: async (context, { query }) => listInstanceProfiles(context, query),
    getInstanceProfile: async (context, { path }) => getInstanceProfile(context, path.name),
    listInstances: (context, { query }) => instances.list(context, query),
    createInstance: (context, { body }) => instances.create(context, body),
    getInstance: (context, { path }) => instances.get(context, path.id),
    updateInstance: (context, { path, body, headers }) => instances.update(context, path.id, body, headers['if-match']),
    deleteInstance: (context, { path, headers }) => instances.remove(context, path.id, headers['if-match']),
    createInstanceAction: (context, { path, body }) => instances.act(context, path.instance_id, body),
    getInstanceInitialization: (context, { path }) => instances.initialization(context, path.id),
    listInstanceNetworkInterfaces: (context, { path }) => instances.listInterfaces(context, path.instance_id),
    getInstanceNetworkInterface: (context, { path }) => instances.getInterface(context, path.instance_id, path.id),
    listInstanceNetworkAttachments: (context, { path }) => instances.listNetworkAttachments(context, path.instance_id),
    getInstanceNetworkAttachment: (context, { path }) =>
      instances.getNetworkAttachment(context, path.instance_id, path.id),
    listVolumeAttachments: (context, { path }) => attachments.list(context, path.instance_id),
    createVolumeAttachment: (context, { path, body }) => attachments.create(context, path.instance_id, body),
    getVolumeAttachment: (context, { path }) => attachments.get(context, path.instance_id, path.id),
    updateVolumeAttachment: (context, { path, body }) => attachments.update(context, path.instance_id, path.id, body),
    deleteVolumeAttachment: (context, { path }) => attachments.remove(context, path.instance_id, path.id),
  }
}

export const reencryptionRoutes = ({ reencryptions }: Vpc): Routes<typeof reencryptionContract, Context, Anyone> => ({
  createReencryption: (context, { path, body }) => reencryptions.create(context, path.id, body),
  getReencryption: (context, { path }) => reencryptions.get(context, path.id),
  updateReencryption: (context, { path, body }) => reencryptions.limit(context, path.id, body),
})

export const vpcOwnRoutes = ({ connections, consoleLogs }: Vpc): Routes<typeof vpcOwnContract, Context, Anyone> => ({
  createConnection: (context, { path }) => connections.create(context, path.instance_id, path.id),
  getConsoleLog: (context, { path }) => consoleLogs.get(context, path.id),
})

/** Each of them has the one answer. */
export function notYetRoutes(): Routes<typeof notYetContract, Context, Anyone> {
  const entries = Object.entries(notYetContract).map(([name, { path }]) => {
    const refuse = (): Promise<void> =>
      Promise.reject(
        new Fault('not_implemented', `${path.split('/')[2]?.replaceAll('_', ' ')} are not supported yet in this form`),
      )
    return [name, refuse]
  })
  // Object.fromEntries forgets the names that it was given.
  return Object.fromEntries(entries) as Routes<typeof notYetContract, Context, Anyone>
}
