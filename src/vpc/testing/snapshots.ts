// The steps that tests of snapshots begin with.

import assert from 'node:assert/strict'
import { volumeBody } from './world.ts'
import type { World } from './world.ts'

export const zone = { name: 'us-south-3' }

/** A volume on a running instance of its own. */
export async function attachedVolume(world: World, more: Record<string, unknown> = {}): Promise<string> {
  const { body: volume } = await world.call('POST', '/v1/volumes', { body: volumeBody(more) })
  await world.settle()
  const body = { zone, volume_attachments: [{ volume: { id: volume.id } }] }
  assert.equal((await world.call('POST', '/v1/instances', { body })).status, 201)
  await world.settle()
  return volume.id
}

export const post = (world: World, path: string, body: unknown) => world.call('POST', path, { body })

export async function stableSnapshot(world: World, more: Record<string, unknown> = {}, id?: string): Promise<string> {
  const source = id ?? (await attachedVolume(world))
  const { status, body } = await post(world, '/v1/snapshots', { source_volume: { id: source }, ...more })
  assert.equal(status, 201, JSON.stringify(body))
  await world.settle()
  return body.id
}

export const restored = (source: string, more: Record<string, unknown> = {}) => ({
  profile: { name: 'general-purpose' },
  zone,
  source_snapshot: { id: source },
  ...more,
})
