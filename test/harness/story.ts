// The steps that most stories begin with.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { api, until } from './api.ts'
import type { Api, Json } from './api.ts'
import type { Server } from './server.ts'

export const keyEnvelope = (resource: Record<string, unknown>) => ({
  metadata: { collectionType: 'application/vnd.ibm.kms.key+json', collectionTotal: 1 },
  resources: [{ type: 'application/vnd.ibm.kms.key+json', ...resource }],
})

export async function makeRootKey(owner: Api, name = 'root'): Promise<{ id: string; crn: string }> {
  const answer = await owner.kms(201, 'POST', '/keys', keyEnvelope({ name, extractable: false }))
  return answer.resources[0]
}

/** Owner's account lets block storage of the user's account use the key manager, or one key of it. */
export function authorization(owner: Api, user: Api, keyId?: string) {
  const attributes = [
    { name: 'accountId', value: owner.account.id },
    { name: 'serviceName', value: 'kms' },
  ]
  if (keyId !== undefined) attributes.push({ name: 'resourceType', value: 'key' }, { name: 'resource', value: keyId })
  return {
    type: 'authorization',
    subjects: [
      {
        attributes: [
          { name: 'serviceName', value: 'server-protect' },
          { name: 'accountId', value: user.account.id },
        ],
      },
    ],
    roles: [{ role_id: 'crn:v1:bluemix:public:iam::::serviceRole:Reader' }],
    resources: [{ attributes }],
  }
}

export const volumeBody = (keyCrn: string, more: Record<string, unknown> = {}) => ({
  profile: { name: 'general-purpose' },
  zone: { name: 'us-south-1' },
  capacity: 10,
  encryption_key: { crn: keyCrn },
  ...more,
})

export const volumeIs = (user: Api, id: string, status: string): Promise<Json> =>
  until(
    () => user.vpc(200, 'GET', `/volumes/${id}`),
    (volume) => volume.status === status,
  )

export async function makeVolume(user: Api, keyCrn: string, more?: Record<string, unknown>): Promise<Json> {
  const { id } = await user.vpc(201, 'POST', '/volumes', volumeBody(keyCrn, more))
  return await volumeIs(user, id, 'available')
}

export interface Attached {
  readonly instanceId: string
  readonly attachmentId: string
  readonly connection: Json
}

export async function attach(user: Api, volumeId: string): Promise<Attached> {
  const { id: instanceId } = await user.vpc(201, 'POST', '/instances', { zone: { name: 'us-south-1' } })
  const attachment = await user.vpc(201, 'POST', `/instances/${instanceId}/volume_attachments`, {
    volume: { id: volumeId },
  })
  return { instanceId, attachmentId: attachment.id, connection: await connect(user, instanceId, attachment.id) }
}

/** When everything that was asked to be on the instance is. */
export const attachedTo = (user: Api, instanceId: string): Promise<Json> =>
  until(
    () => user.vpc(200, 'GET', `/instances/${instanceId}/volume_attachments`),
    ({ volume_attachments }) => volume_attachments.every(({ status }: Json) => status === 'attached'),
  )

export const connect = (user: Api, instanceId: string, attachmentId: string): Promise<Json> =>
  user.expect(201, 'POST', `/keyward/v1/instances/${instanceId}/volume_attachments/${attachmentId}/connection`)

/** A third account, made by the operator. */
export async function makeAccount(server: Server, name: string): Promise<Api> {
  const token = readFileSync(join(server.folder, 'operator.token'), 'utf8').trim()
  const response = await fetch(`${server.baseUrl}/keyward/v1/operator/accounts`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  })
  const made: Json = await response.json()
  assert.equal(response.status, 201, JSON.stringify(made))
  return api(server.baseUrl, {
    name,
    id: made.id,
    apiKey: made.apikey,
    resourceGroupId: made.resource_group_id,
    kmsInstanceId: '',
  })
}

export const snapshotIs = (user: Api, id: string, state: string): Promise<Json> =>
  until(
    () => user.vpc(200, 'GET', `/snapshots/${id}`),
    (snapshot) => snapshot.lifecycle_state === state,
  )

export async function takeSnapshot(user: Api, volumeId: string, more: Record<string, unknown> = {}): Promise<Json> {
  const { id } = await user.vpc(201, 'POST', '/snapshots', { source_volume: { id: volumeId }, ...more })
  return await snapshotIs(user, id, 'stable')
}

/** A volume of the snapshot; its prototype may say more. */
export async function restoreVolume(user: Api, source: Json, more: Record<string, unknown> = {}): Promise<Json> {
  const { id } = await user.vpc(201, 'POST', '/volumes', restoreBody(source, more))
  return await volumeIs(user, id, 'available')
}

export const restoreBody = (source: Json, more: Record<string, unknown> = {}) => ({
  profile: { name: 'general-purpose' },
  zone: { name: 'us-south-1' },
  source_snapshot: source,
  ...more,
})

/** A key by its CRN in a path of Keyward's own. */
export const keyPath = (key: { readonly crn: string }, rest: string): string =>
  `/keyward/v1/keys/${encodeURIComponent(key.crn)}/${rest}`

/** Key Protect, "Purging keys". */
export const purgeWaitSeconds = 4 * 3600

/** A Manager is not enough: Key Protect, "Purging keys". */
const mayPurge = ({ account }: Api, iamId: string) => ({
  type: 'access',
  subjects: [{ attributes: [{ name: 'iam_id', value: iamId }] }],
  roles: [{ role_id: 'crn:v1:bluemix:public:kms::::serviceRole:KeyPurge' }],
  resources: [
    {
      attributes: [
        { name: 'accountId', value: account.id },
        { name: 'serviceName', value: 'kms' },
      ],
    },
  ],
})

/** Gives whoever signs in as the owner the role, and tells who that is. */
export async function permitPurge(owner: Api): Promise<string> {
  const claims = JSON.parse(Buffer.from((await owner.token()).split('.')[1] ?? '', 'base64url').toString())
  await owner.expect(201, 'POST', '/v1/policies', { body: mayPurge(owner, claims.iam_id) })
  return claims.iam_id
}
