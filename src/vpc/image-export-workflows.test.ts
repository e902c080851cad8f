// Image export jobs under fault: every effect of them fails, hangs or is interrupted, and what is left agrees with itself.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Fault } from '#base/fault.ts'
import { imageExportsMax, volumePendingMsMax } from '#base/limits.ts'
import { post } from './testing/snapshots.ts'
import { assertWhole, struckEverywhere } from './testing/struck.ts'
import { accountA } from './testing/fakes.ts'
import { keyOfA, makeWorld } from './testing/world.ts'
import type { World } from './testing/world.ts'

const imageBody = {
  file: { href: 'cos://us-south/bucket/disk.raw' },
  operating_system: { name: 'debian-12-amd64' },
  encryption_key: { crn: keyOfA },
}
const body = (more: Record<string, unknown> = {}) => ({ storage_bucket: { name: 'bucket' }, name: 'job', ...more })

async function available(world: World, more: Record<string, unknown> = {}): Promise<string> {
  const made = await post(world, '/v1/images', { ...imageBody, ...more })
  assert.equal(made.status, 201, JSON.stringify(made.body))
  await world.settle()
  return `/v1/images/${made.body.id}`
}

const jobsOf = async (world: World, image: string) =>
  (await world.call('GET', `${image}/export_jobs`)).body?.export_jobs ?? []

/** What is in the bucket is what the jobs say, but for what jobs that were deleted after their end have left. */
async function assertAgrees(world: World, image: string): Promise<void> {
  const jobs = await jobsOf(world, image)
  const has = jobs.map((job: { storage_object: { name: string } }) => job.storage_object.name)
  assert.deepEqual([...world.cos.written].sort(), has.sort())
  assert.ok(jobs.every(({ status }: { status: string }) => status === 'succeeded'))
}

test('an export ends in an object and a job that says so, or in neither', async () => {
  let image = ''
  const strikes = await struckEverywhere(
    async (world) => {
      image = await available(world)
      return () => post(world, `${image}/export_jobs`, body())
    },
    async (world) => {
      await assertAgrees(world, image)
      if ((await jobsOf(world, image)).length > 0) return
      assert.equal((await post(world, `${image}/export_jobs`, body())).status, 201)
    },
  )
  assert.ok(strikes >= 4 * 6, `${strikes} strikes`)
})

test('a job that is deleted while it runs leaves nothing, wherever it was', async () => {
  let image = ''
  await struckEverywhere(
    async (world) => {
      image = await available(world)
      const made = await post(world, `${image}/export_jobs`, body())
      world.disk.refusal = new Fault('unavailable', 'busy')
      await world.pass()
      world.disk.refusal = null
      return async () => {
        await world.pass()
        return await world.call('DELETE', `${image}/export_jobs/${made.body.id}`)
      }
    },
    async (world) => {
      const jobs = await jobsOf(world, image)
      // One whose deletion was refused, or came after its end, may have done what it was for.
      if (jobs.length > 0) await assertAgrees(world, image)
    },
  )
})

test('a job that is cancelled after its object was written removes it', async () => {
  await using world = await makeWorld()
  const image = await available(world)
  const made = await post(world, `${image}/export_jobs`, body())
  const { writeObject } = world.cos.port
  world.cos.port.writeObject = async (wanted) => {
    const written = await writeObject(wanted)
    assert.equal((await world.call('DELETE', `${image}/export_jobs/${made.body.id}`)).status, 204)
    return written
  }
  await world.pass()
  const deleting = await world.call('DELETE', `${image}/export_jobs/${made.body.id}`)
  assert.ok(deleting.status === 404 || deleting.status === 409)
  await world.settle()
  assert.deepEqual([await jobsOf(world, image), world.cos.written.size], [[], 0])
  await assertWhole(world, 'cancelled')
})

test('a job that has ended is deleted at once, and its object stays', async () => {
  await using world = await makeWorld()
  const image = await available(world)
  const { id } = (await post(world, `${image}/export_jobs`, body())).body
  await world.settle()
  assert.equal((await world.call('DELETE', `${image}/export_jobs/${id}`)).status, 204)
  assert.equal((await world.call('GET', `${image}/export_jobs/${id}`)).status, 404)
  assert.equal(world.cos.written.size, 1)
})

test('an image that is deleted waits for its exports, and takes its jobs with it', async () => {
  await using world = await makeWorld()
  const image = await available(world)
  await post(world, `${image}/export_jobs`, body())
  world.disk.refusal = new Fault('unavailable', 'busy')
  await world.pass()
  assert.equal((await world.call('DELETE', image)).status, 204)
  await world.pass()
  assert.equal((await world.call('GET', image)).body.status, 'deleting')
  assert.equal((await post(world, `${image}/export_jobs`, body({ name: 'late' }))).status, 409)
  world.disk.refusal = null
  await world.settle()
  assert.equal((await world.call('GET', image)).status, 404)
  assert.equal(world.cos.written.size, 1)
  const { reads } = world.database
  assert.deepEqual(await reads.selectFrom('vpc_image_export').selectAll().execute(), [])
  await assertWhole(world, 'deleted')
})

test('a job that cannot be done says why', async () => {
  await using world = await makeWorld()
  const image = await available(world)
  const ending = async (name: string, spoil: () => void, mend: () => void) => {
    const { id } = (await post(world, `${image}/export_jobs`, body({ name }))).body
    spoil()
    await world.pass()
    const job = (await world.call('GET', `${image}/export_jobs/${id}`)).body
    mend()
    return [job.status, job.status_reasons[0]?.code, job.completed_at !== undefined]
  }
  const mend = () => {
    world.cos.refusal = null
    world.disk.refusal = null
  }
  const bucketGone = () => {
    world.cos.refusal = new Fault('forbidden', 'no leave')
  }
  assert.deepEqual(await ending('bucket', bucketGone, mend), ['failed', 'cannot_access_storage_bucket', true])
  const torn = () => {
    world.disk.refusal = new Fault('unprocessable', 'torn')
  }
  assert.deepEqual(await ending('torn', torn, mend), ['failed', 'internal_error', true])
  const keyGone = () => {
    world.kms.put(keyOfA, 'disabled')
  }
  assert.deepEqual(await ending('key', keyGone, () => void world.kms.put(keyOfA)), [
    'failed',
    'encryption_key_disabled',
    true,
  ])
  await world.settle()
  const busy = () => {
    world.disk.refusal = new Fault('unavailable', 'busy')
  }
  assert.deepEqual(await ending('busy', busy, () => undefined), ['running', undefined, false])
  world.advance(volumePendingMsMax + 1)
  await world.pass()
  const late = (await jobsOf(world, image)).find(({ name }: { name: string }) => name === 'busy')
  assert.deepEqual([late.status, late.status_reasons[0].code], ['failed', 'internal_error'])
})

test('what an image under a user’s key becomes has a key of its own, what one without becomes has none', async () => {
  await using world = await makeWorld()
  const jobs = []
  for (const more of [{}, { encryption_key: undefined }]) {
    const image = await available(world, more)
    await post(world, `${image}/export_jobs`, body())
    await world.settle()
    jobs.push(...(await jobsOf(world, image)))
  }
  assert.deepEqual(
    jobs.map((job) => typeof job.encrypted_data_key),
    ['string', 'undefined'],
  )
})

test('quotas, names and strangers', async () => {
  await using world = await makeWorld()
  const image = await available(world)
  world.disk.refusal = new Fault('unavailable', 'busy')
  for (let i = 0; i < imageExportsMax.activeOfImage; i++) {
    assert.equal((await post(world, `${image}/export_jobs`, body({ name: `job-${i}` }))).status, 201)
  }
  const sixth = await post(world, `${image}/export_jobs`, body())
  assert.deepEqual([sixth.status, sixth.body.errors[0].code], [400, 'over_quota'])
  world.disk.refusal = null
  await world.settle()
  const taken = await post(world, `${image}/export_jobs`, body({ name: 'job-1' }))
  assert.deepEqual([taken.status, taken.body.errors[0].target.name], [400, 'name'])
  const drawn = await post(world, `${image}/export_jobs`, { storage_bucket: { crn: 'crn:bucket' } })
  assert.deepEqual([drawn.status, drawn.body.storage_bucket.name], [201, 'bucket'])
  for (const [bucket, field] of [
    [{}, 'storage_bucket'],
    [{ name: 'bucket', crn: 'crn:bucket' }, 'storage_bucket'],
    [{ crn: 'crn:other:bucket' }, 'storage_bucket.crn'],
  ] as const) {
    const refused = await post(world, `${image}/export_jobs`, { storage_bucket: bucket })
    assert.deepEqual([refused.status, refused.body.errors[0].target.name], [400, field])
  }
  const path = `${image}/export_jobs/${drawn.body.id}`
  const renamed = await world.call('PATCH', path, { body: { name: 'renamed' } })
  assert.deepEqual([renamed.body.name, renamed.body.storage_object], ['renamed', drawn.body.storage_object])
  assert.equal((await world.call('PATCH', path, { body: { name: 'job-1' } })).body.errors[0].target.name, 'name')
  assert.equal((await world.call('PATCH', path, { body: { name: 'No' } })).status, 400)
  for (const method of ['GET', 'DELETE'] as const) {
    assert.equal((await world.call(method, path, { as: accountA })).status, 404)
    assert.equal((await world.call(method, `${image}/export_jobs/none`)).status, 404)
  }
  assert.equal((await world.call('GET', `${image}/export_jobs`, { as: accountA })).status, 404)
})
