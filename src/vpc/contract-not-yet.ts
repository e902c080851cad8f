// Collections that clients know and this service does not serve yet. They are answered 501 by name, so that nobody takes
// them for misspelt. Source: VPC API.

import type { Contract } from '#base/contract.ts'
import { versionedQuery } from './schemas.ts'

const notYet = <Method extends 'GET' | 'POST' | 'DELETE', Path extends string>(method: Method, path: Path) =>
  ({
    method,
    path,
    summary: 'Not supported yet',
    action: 'is.volume.volume.list',
    query: versionedQuery,
    status: 501,
  }) as const

export const notYetContract = {
  listVolumeJobs: notYet('GET', '/v1/volumes/{id}/jobs'),
  createVolumeJob: notYet('POST', '/v1/volumes/{id}/jobs'),
  listInstanceTemplates: notYet('GET', '/v1/instance/templates'),
  createInstanceTemplate: notYet('POST', '/v1/instance/templates'),
  listNetworkAcls: notYet('GET', '/v1/network_acls'),
  listPublicGateways: notYet('GET', '/v1/public_gateways'),
  createPublicGateway: notYet('POST', '/v1/public_gateways'),
  listFloatingIps: notYet('GET', '/v1/floating_ips'),
  createFloatingIp: notYet('POST', '/v1/floating_ips'),
} as const satisfies Contract
