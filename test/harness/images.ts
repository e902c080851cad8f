// Images as most stories make them: a file in A's bucket, which B's image service may read.

import { CreateBucketCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { until } from './api.ts'
import type { Api, Json } from './api.ts'
import type { Server } from './server.ts'
import { makeStorage } from './storage.ts'
import type { Storage } from './storage.ts'

export const bucketName = 'files-of-a'

export async function makeBucket(server: Server, owner: Api): Promise<Storage> {
  const storage = await makeStorage(server, owner)
  await storage.s3.send(new CreateBucketCommand({ Bucket: bucketName }))
  return storage
}

export const putFile = ({ s3 }: Storage, name: string, body: Uint8Array): Promise<unknown> =>
  s3.send(new PutObjectCommand({ Bucket: bucketName, Key: name, Body: body }))

export const fileHref = (name: string): string => `cos://us-south/${bucketName}/${name}`

/** The owner's account lets the image service of the user's account use its object storage. */
export const imageAuthorization = (owner: Api, user: Api, role = 'Reader') => ({
  type: 'authorization',
  subjects: [
    {
      attributes: [
        { name: 'serviceName', value: 'is' },
        { name: 'resourceType', value: 'image' },
        { name: 'accountId', value: user.account.id },
      ],
    },
  ],
  roles: [{ role_id: `crn:v1:bluemix:public:iam::::serviceRole:${role}` }],
  resources: [
    {
      attributes: [
        { name: 'accountId', value: owner.account.id },
        { name: 'serviceName', value: 'cloud-object-storage' },
      ],
    },
  ],
})

export const imageBody = (name: string, more: Record<string, unknown> = {}) => ({
  file: { href: fileHref(name) },
  operating_system: { name: 'debian-12-amd64' },
  ...more,
})

export const imageIs = (user: Api, id: string, status: string): Promise<Json> =>
  until(
    () => user.vpc(200, 'GET', `/images/${id}`),
    (image) => image.status === status,
  )

export async function makeImage(user: Api, file: string, more?: Record<string, unknown>): Promise<Json> {
  const { id } = await user.vpc(201, 'POST', '/images', imageBody(file, more))
  return await imageIs(user, id, 'available')
}

export const instanceIs = (user: Api, id: string, status: string): Promise<Json> =>
  until(
    () => user.vpc(200, 'GET', `/instances/${id}`),
    (instance) => instance.status === status,
  )

/** An instance of the image, running, with its boot volume. */
export async function bootFrom(
  user: Api,
  imageId: string,
  volume: Record<string, unknown> = {},
): Promise<{ readonly instance: Json; readonly volume: Json }> {
  const { id } = await user.vpc(201, 'POST', '/instances', {
    zone: { name: 'us-south-1' },
    image: { id: imageId },
    boot_volume_attachment: { volume: { profile: { name: 'general-purpose' }, ...volume } },
  })
  const instance = await instanceIs(user, id, 'running')
  return { instance, volume: await user.vpc(200, 'GET', `/volumes/${instance.boot_volume_attachment.volume.id}`) }
}
