import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeWorld, volumeBody } from './testing/world.ts'

test('what a profile gives a volume is what its disk allows, from the first export on and after every change', async () => {
  await using world = await makeWorld()
  const body = volumeBody({ profile: { name: 'sdp' }, capacity: 100, iops: 5000, bandwidth: 2000 })
  const { body: volume } = await world.call('POST', '/v1/volumes', { body })
  await world.pass()
  const { body: instance } = await world.call('POST', '/v1/instances', { body: { zone: { name: 'us-south-3' } } })
  const { body: attachment } = await world.call('POST', `/v1/instances/${instance.id}/volume_attachments`, {
    body: { volume: { id: volume.id } },
  })
  await world.pass()
  const limits = () => {
    const { iopsMax, bandwidthBytesPerSecondMax } = world.disk.exported.get(attachment.id) ?? {}
    return [iopsMax, bandwidthBytesPerSecondMax]
  }
  assert.deepEqual(limits(), [5000, 250_000_000])
  await world.call('PATCH', `/v1/volumes/${volume.id}`, { body: { iops: 9000 } })
  await world.pass()
  assert.deepEqual(limits(), [9000, 250_000_000])
  await world.call('PATCH', `/v1/volumes/${volume.id}`, { body: { bandwidth: 4000 } })
  await world.pass()
  assert.deepEqual(limits(), [9000, 500_000_000])
})
