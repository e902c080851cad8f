// Custom images from outside: a file in A's bucket becomes an image of B's under A's root key, and machines of B's get boot
// volumes of it. Real HTTP, object storage by its SDK, qemu-img, real NBD clients, the files on disk.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from './harness/api.ts'
import type { Api, Json } from './harness/api.ts'
import {
  bootFrom,
  fileHref,
  imageAuthorization,
  imageBody,
  imageIs,
  makeBucket,
  makeImage,
  putFile,
} from './harness/images.ts'
import { nbdsh, run, tlsUri } from './harness/nbd.ts'
import { startServer, tempFolder } from './harness/server.ts'
import { authorization, connect, makeRootKey, volumeIs } from './harness/story.ts'

const GiB = 1024 ** 3
const mark = 'what the disk of the image holds'

/** A disk of 12 MiB with the mark at 1 MiB. */
function rawDisk(): Buffer {
  const disk = Buffer.alloc(12 * 1024 * 1024)
  disk.write(mark, 1024 * 1024)
  return disk
}

function qcow2Of(folder: string, raw: Buffer, ...options: readonly string[]): Buffer {
  const [from, to] = [join(folder, 'disk.raw'), join(folder, 'disk.qcow2')]
  writeFileSync(from, raw)
  run('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', ...options, from, to)
  return readFileSync(to)
}

const read = (uri: string): string => nbdsh(uri, `print(h.pread(${mark.length}, 1 << 20).decode())`)

const connectionTo = async (user: Api, instance: Json): Promise<Json> =>
  connect(user, instance.id, instance.boot_volume_attachment.id)

const imageFile = (folder: string, id: string): string => join(folder, 'volumes', id, 'volume.luks')

/** The header and all that the disk of the tests holds. */
function beginningOf(path: string): Buffer {
  const bytes = Buffer.alloc(32 * 1024 * 1024)
  const file = openSync(path, 'r')
  readSync(file, bytes, 0, bytes.length, 0)
  closeSync(file)
  return bytes
}

const registrationsOn = async (owner: Api, keyId: string): Promise<readonly string[]> => {
  const { resources = [] } = await owner.kms(200, 'GET', `/keys/${keyId}/registrations`)
  return resources.map(({ resourceCrn }: { resourceCrn: string }) => resourceCrn).sort()
}

test('a file of A’s becomes an image of B’s under A’s key, and machines boot from it until A takes the key', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b, advance } = server
  const key = await makeRootKey(a)
  const own = await makeRootKey(b, 'own')
  const storage = await makeBucket(server, a)
  const file = qcow2Of(folder, rawDisk(), '-c')
  await putFile(storage, 'disk.qcow2', file)
  await putFile(storage, 'disk.raw', rawDisk())

  await t.test('not without leave to read the file, which is said with the policy that is missing', async () => {
    const refused = await b.vpc(403, 'POST', '/images', imageBody('disk.qcow2'))
    assert.equal(refused.errors[0].code, 'cos_not_authorized')
    assert.deepEqual(refused.errors[0].target, { type: 'field', name: 'file.href' })
    assert.match(refused.errors[0].message, new RegExp(`^account ${a.account.id} has no authorization`))
  })
  await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b) })

  await t.test('not without leave to use the key', async () => {
    const refused = await b.vpc(400, 'POST', '/images', imageBody('disk.qcow2', { encryption_key: { crn: key.crn } }))
    assert.equal(refused.errors[0].code, 'volume_encryption_key_not_authorized')
    assert.equal((await b.vpc(200, 'GET', '/images?visibility=private')).total_count, 0)
  })
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await b.expect(201, 'POST', '/v1/policies', { body: authorization(b, b) })

  let image: Json
  await t.test('then it is pending, and available with what it is', async () => {
    const body = imageBody('disk.qcow2', { name: 'of-a', encryption_key: { crn: key.crn } })
    const pending = await b.vpc(201, 'POST', '/images', body)
    assert.deepEqual([pending.status, pending.visibility, pending.encryption], ['pending', 'private', 'user_managed'])
    assert.match(pending.status_reasons[0].code, /^image_request_/)
    image = await imageIs(b, pending.id, 'available')
    assert.deepEqual([image.minimum_provisioned_size, image.file.size, image.status_reasons], [10, 1, []])
    assert.equal(image.file.checksums.sha256, createHash('sha256').update(file).digest('hex'))
    assert.deepEqual([image.operating_system.name, image.encryption_key.crn], ['debian-12-amd64', key.crn])
    assert.deepEqual(await registrationsOn(a, key.id), [image.crn])
    assert.match(run('cryptsetup', 'luksDump', imageFile(folder, image.id)).stdout, /cipher: aes-xts-plain64/)
    assert.ok(!beginningOf(imageFile(folder, image.id)).includes(mark))
    assert.ok(!existsSync(join(folder, 'run', 'imports', image.id)))
  })

  let machine: { instance: Json; volume: Json }
  await t.test('a machine of it has a boot volume of its own key with the disk on it', async () => {
    machine = await bootFrom(b, image.id)
    const { instance, volume } = machine
    assert.deepEqual([instance.image.name, volume.source_image.id], ['of-a', image.id])
    assert.deepEqual([volume.capacity, volume.encryption_key.crn], [10, key.crn])
    assert.equal(read(tlsUri(await connectionTo(b, instance), folder)), mark)
    assert.deepEqual(await registrationsOn(a, key.id), [image.crn, volume.crn].sort())
  })

  await t.test(
    'another may be larger and lie under another key, which the first key’s end does not touch',
    async () => {
      const { instance, volume } = await bootFrom(b, image.id, { capacity: 12, encryption_key: { crn: own.crn } })
      assert.deepEqual([volume.capacity, volume.encryption_key.crn], [12, own.crn])
      const connection = await connectionTo(b, instance)
      assert.equal(nbdsh(connection.unix_uri, 'print(h.get_size())'), String(12 * GiB))
      await a.kms(204, 'POST', `/keys/${key.id}/actions/disable`)
      const unusable = await imageIs(b, image.id, 'unusable')
      assert.equal(unusable.status_reasons[0].code, 'encryption_key_disabled')
      await volumeIs(b, machine.volume.id, 'unusable')
      assert.equal(read(tlsUri(connection, folder)), mark)
      const refused = await b.vpc(409, 'POST', '/instances', { zone: { name: 'us-south-1' }, image: { id: image.id } })
      assert.match(refused.errors[0].message, /encryption_key_disabled/)
      // Key Protect: a key is enabled again half a minute after it was disabled at the earliest.
      await advance(60)
      await a.kms(204, 'POST', `/keys/${key.id}/actions/enable`)
      await imageIs(b, image.id, 'available')
    },
  )

  await t.test(
    'an image without a key says so, and its machines’ volumes lie under the provider’s or a named one',
    async () => {
      const plain = await makeImage(b, 'disk.raw', { name: 'plain' })
      assert.deepEqual([plain.encryption, plain.encryption_key], ['none', undefined])
      assert.ok(!beginningOf(imageFile(folder, plain.id)).includes(mark))
      const { volume } = await bootFrom(b, plain.id)
      assert.equal(volume.encryption, 'provider_managed')
      const keyed = await bootFrom(b, plain.id, { encryption_key: { crn: key.crn } })
      assert.equal(keyed.volume.encryption, 'user_managed')
      assert.equal(read(tlsUri(await connectionTo(b, keyed.instance), folder)), mark)
      const small = await b.vpc(400, 'POST', '/instances', {
        zone: { name: 'us-south-1' },
        image: { id: plain.id },
        boot_volume_attachment: { volume: { profile: { name: 'sdp' }, capacity: 5 } },
      })
      assert.equal(small.errors[0].target.name, 'boot_volume_attachment.volume.capacity')
    },
  )

  await t.test('the boot volume of a stopped machine becomes an image, with what was written to it', async () => {
    const { instance, volume } = machine
    const body = { source_volume: { id: volume.id }, name: 'from-volume' }
    const running = await b.vpc(409, 'POST', '/images', body)
    assert.match(running.errors[0].message, /stopped instance/)
    const there = tlsUri(await connectionTo(b, instance), folder)
    nbdsh(there, 'h.pwrite(b"later", 2 << 20); h.flush()')
    await b.vpc(201, 'POST', `/instances/${instance.id}/actions`, { type: 'stop' })
    const { id } = await b.vpc(201, 'POST', '/images', body)
    const made = await imageIs(b, id, 'available')
    assert.deepEqual([made.source_volume.id, made.encryption_key.crn], [volume.id, key.crn])
    assert.equal(made.operating_system.name, 'debian-12-amd64')
    const next = await bootFrom(b, id, { encryption_key: { crn: own.crn } })
    const uri = tlsUri(await connectionTo(b, next.instance), folder)
    assert.deepEqual([read(uri), nbdsh(uri, 'print(h.pread(5, 2 << 20).decode())')], [mark, 'later'])
  })

  await t.test('a deleted image is gone with its bytes and its registration; what was made of it stays', async () => {
    await b.vpc(204, 'DELETE', `/images/${image.id}`)
    await until(
      () => b.send('GET', `/v1/images/${image.id}?version=2026-03-24&generation=2`),
      ({ status }) => status === 404,
    )
    assert.ok(!existsSync(imageFile(folder, image.id)))
    assert.ok(!(await registrationsOn(a, key.id)).includes(image.crn))
    assert.equal((await b.vpc(200, 'GET', `/volumes/${machine.volume.id}`)).status, 'available')
  })

  await t.test(
    'the owner of the key deletes it: images under it are unusable for good, and may be deleted',
    async () => {
      const doomed = await makeImage(b, 'disk.raw', { encryption_key: { crn: key.crn } })
      await a.kms(204, 'DELETE', `/keys/${key.id}?force=true`)
      const unusable = await imageIs(b, doomed.id, 'unusable')
      assert.equal(unusable.status_reasons[0].code, 'encryption_key_deleted')
      await b.vpc(204, 'DELETE', `/images/${doomed.id}`)
    },
  )
})

test('images in lists, in their lives, and to others', async (t) => {
  const server = await startServer(t, tempFolder(t))
  const { a, b } = server
  const storage = await makeBucket(server, a)
  await putFile(storage, 'disk.raw', rawDisk())
  await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b) })
  const images: Json[] = []
  for (const name of ['one', 'two', 'three']) {
    images.push(await makeImage(b, 'disk.raw', { name }))
  }
  const names = async (query: string): Promise<string[]> =>
    (await b.vpc(200, 'GET', `/images?${query}`)).images.map(({ name }: Json) => name)

  await t.test('the account’s own come first, newest first, and then everybody’s, in pages', async () => {
    const first = await b.vpc(200, 'GET', '/images?limit=2')
    assert.deepEqual([first.images.map(({ name }: Json) => name), first.total_count], [['three', 'two'], 7])
    const seen: string[] = []
    for (const limit of [1, 2, 3, 5]) {
      seen.length = 0
      let next: string | undefined = `/images?limit=${limit}`
      while (next !== undefined) {
        const page: Json = await b.vpc(200, 'GET', next)
        seen.push(...page.images.map(({ name }: Json) => name))
        next =
          page.next && `/images?${new URL(page.next.href).searchParams}`.replaceAll(/&?(version|generation)=[^&]*/g, '')
      }
      assert.deepEqual([seen.length, new Set(seen).size, seen.slice(0, 3)], [7, 7, ['three', 'two', 'one']])
    }
    assert.deepEqual(await names('visibility=private'), ['three', 'two', 'one'])
    assert.equal((await names('visibility=public')).length, 4)
    assert.deepEqual(await names('name=two'), ['two'])
    assert.deepEqual(await names('owner_type=user&status=deprecated'), [])
    assert.deepEqual(await names('user_data_format=ipxe'), [])
    assert.deepEqual(await names('remote.account.id=null'), ['three', 'two', 'one'])
    assert.equal((await names('resource_group.id=nowhere')).length, 0)
  })

  await t.test('another account sees none of them', async () => {
    const [image] = images
    assert.equal((await a.vpc(200, 'GET', '/images')).total_count, 4)
    for (const [method, path] of [
      ['GET', ''],
      ['DELETE', ''],
      ['POST', '/deprecate'],
      ['POST', '/obsolete'],
    ] as const) {
      await a.vpc(404, method, `/images/${image?.id}${path}`)
    }
    await a.vpc(404, 'PATCH', `/images/${image?.id}`, { name: 'mine' })
    const refused = await a.vpc(400, 'POST', '/instances', { zone: { name: 'us-south-1' }, image: { crn: image?.crn } })
    assert.equal(refused.errors[0].target.name, 'image')
  })

  await t.test('deprecated it still makes machines, obsolete it does not', async () => {
    const id = images[0]?.id
    await b.vpc(204, 'POST', `/images/${id}/deprecate`)
    const deprecated = await b.vpc(200, 'GET', `/images/${id}`)
    assert.equal(deprecated.status, 'deprecated')
    assert.ok(Date.parse(deprecated.deprecation_at) > 0)
    assert.deepEqual(await names('status=deprecated'), ['one'])
    await bootFrom(b, id)
    await b.vpc(204, 'POST', `/images/${id}/obsolete`)
    assert.equal((await b.vpc(200, 'GET', `/images/${id}`)).status, 'obsolete')
    assert.deepEqual(await names('status=obsolete,failed'), ['one'])
    const refused = await b.vpc(409, 'POST', '/instances', { zone: { name: 'us-south-1' }, image: { id } })
    assert.match(refused.errors[0].message, /obsolete/)
    const back = await b.vpc(200, 'PATCH', `/images/${id}`, { obsolescence_at: null, deprecation_at: null })
    assert.deepEqual([back.status, back.obsolescence_at], ['available', undefined])
  })

  await t.test('its end may be set for later: in order, and not in the past', async () => {
    const path = `/images/${images[1]?.id}`
    const body = { deprecation_at: '2090-01-01T00:00:00Z', obsolescence_at: '2091-01-01T00:00:00Z', name: 'renamed' }
    const patched = await b.vpc(200, 'PATCH', path, body)
    assert.deepEqual([patched.status, patched.name], ['available', 'renamed'])
    assert.equal(Date.parse(patched.obsolescence_at), Date.parse(body.obsolescence_at))
    const order = await b.vpc(400, 'PATCH', path, { deprecation_at: '2092-01-01T00:00:00Z' })
    assert.equal(order.errors[0].target.name, 'obsolescence_at')
    const past = await b.vpc(400, 'PATCH', path, { deprecation_at: '2020-01-01T00:00:00Z' })
    assert.equal(past.errors[0].target.name, 'deprecation_at')
    const taken = await b.vpc(400, 'PATCH', path, { name: 'three' })
    assert.equal(taken.errors[0].code, 'validation_unique_failed')
  })

  await t.test('what an image may be used for is kept, and no profile is ruled out', async () => {
    const path = `/images/${images[2]?.id}`
    assert.equal((await b.vpc(200, 'GET', path)).allowed_use, undefined)
    const use = { api_version: '2026-03-24', instance: 'gpu.count > 0', bare_metal_server: 'false' }
    assert.deepEqual((await b.vpc(200, 'PATCH', path, { allowed_use: use })).allowed_use, use)
    const made = await makeImage(b, 'disk.raw', { allowed_use: { instance: 'true' } })
    assert.deepEqual(made.allowed_use, { api_version: '', instance: 'true', bare_metal_server: 'true' })
    await b.vpc(204, 'DELETE', `/images/${made.id}`)
    const all = await b.vpc(200, 'GET', '/instance/profiles')
    const { profiles } = await b.vpc(200, 'GET', `${path}/instance_profiles?limit=100`)
    assert.deepEqual(profiles.map(({ name }: Json) => name).sort(), all.profiles.map(({ name }: Json) => name).sort())
    const [stock] = (await b.vpc(200, 'GET', '/images?visibility=public')).images
    assert.ok((await b.vpc(200, 'GET', `/images/${stock.id}/instance_profiles`)).profiles.length > 0)
    await a.vpc(404, 'GET', `${path}/instance_profiles`)
  })

  await t.test('stock images are nobody’s to change', async () => {
    const [stock] = (await b.vpc(200, 'GET', '/images?visibility=public')).images
    for (const [method, path] of [
      ['DELETE', ''],
      ['POST', '/deprecate'],
    ] as const) {
      const refused = await b.vpc(403, method, `/images/${stock.id}${path}`)
      assert.equal(refused.errors[0].code, 'invalid_action_for_public_image')
    }
  })
})

test('what cannot become an image is refused by its field, or fails with its reason', async (t) => {
  const folder = tempFolder(t)
  const server = await startServer(t, folder)
  const { a, b } = server
  const storage = await makeBucket(server, a)
  await putFile(storage, 'disk.raw', rawDisk())
  const { id: policyId } = await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b) })

  const encrypted = { encryption_key: { crn: (await makeRootKey(a)).crn }, encrypted_data_key: 'AAAA' }
  const refusals: readonly (readonly [string, number, Json, string, string?])[] = [
    ['no source', 400, { operating_system: { name: 'debian-12-amd64' } }, 'file'],
    ['two sources', 400, { ...imageBody('disk.raw'), source_volume: { id: 'r006-x' } }, 'file', 'validation_only_one'],
    ['no system', 400, { file: { href: fileHref('disk.raw') } }, 'operating_system', 'validation_required_field'],
    [
      'a system that is none',
      400,
      { ...imageBody('disk.raw'), operating_system: { name: 'plan-9' } },
      'operating_system',
    ],
    [
      'another scheme',
      400,
      { ...imageBody('x'), file: { href: 'https://x/y.raw' } },
      'file.href',
      'cos_scheme_uri_invalid',
    ],
    ['another extension', 400, imageBody('disk.iso'), 'file.href', 'cos_invalid_file_extension'],
    ['a way out', 400, { ...imageBody('x'), file: { href: 'cos://us-south/../etc/passwd.raw' } }, 'file.href'],
    ['no such object', 400, imageBody('nothing.raw'), 'file.href', 'cos_not_found'],
    [
      'another region',
      400,
      { ...imageBody('x'), file: { href: 'cos://eu-de/files-of-a/disk.raw' } },
      'file.href',
      'cos_not_found',
    ],
    ['a name of the provider’s', 400, imageBody('disk.raw', { name: 'ibm-mine' }), 'name', 'validation_invalid_name'],
    ['a name that is none', 400, imageBody('disk.raw', { name: 'Not_A_Name' }), 'name', 'validation_invalid_name'],
    ['a past moment', 400, imageBody('disk.raw', { deprecation_at: '2020-01-01T00:00:00Z' }), 'deprecation_at'],
    ['a key that is none', 400, imageBody('disk.raw', { encryption_key: { crn: 'x' } }), 'encryption_key.crn'],
    ['a volume that is none', 400, { source_volume: { id: 'r006-none' } }, 'source_volume'],
    ['a group that is none', 400, imageBody('disk.raw', { resource_group: { id: 'none' } }), 'resource_group.id'],
    ['a data key without its key', 400, imageBody('disk.raw', { encrypted_data_key: 'AAAA' }), 'encryption_key'],
    ['a data key of a raw file', 400, imageBody('disk.raw', encrypted), 'encrypted_data_key'],
    [
      'a data key that is none',
      400,
      imageBody('disk.raw', { ...encrypted, encrypted_data_key: '?' }),
      'encrypted_data_key',
    ],
    ['an unknown field', 400, imageBody('disk.raw', { url: 'file:///etc/passwd' }), 'url'],
  ]
  for (const [name, status, body, field, code] of refusals) {
    await t.test(name, async () => {
      const [error] = (await b.vpc(status, 'POST', '/images', body)).errors
      assert.equal(error.target?.name, field, JSON.stringify(error))
      if (code !== undefined) assert.equal(error.code, code)
    })
  }
  assert.equal((await b.vpc(200, 'GET', '/images?visibility=private')).total_count, 0)

  const backed = qcow2Of(folder, rawDisk())
  backed.writeBigUInt64BE(112n, 8)
  backed.writeUInt32BE(11, 16)
  backed.write('/etc/passwd', 112)
  run('qemu-img', 'create', '-f', 'qcow2', join(folder, 'large.qcow2'), '251G')
  const failures: readonly (readonly [string, Uint8Array, string])[] = [
    ['backed.qcow2', backed, 'image_data_corrupted'],
    ['text.qcow2', Buffer.from('no disk at all'), 'image_data_corrupted'],
    ['empty.raw', new Uint8Array(0), 'image_provisioned_size_unsupported'],
    ['large.qcow2', readFileSync(join(folder, 'large.qcow2')), 'image_provisioned_size_unsupported'],
    ['hidden.raw', qcow2Of(folder, rawDisk()), 'image_data_corrupted'],
  ]
  for (const [name, bytes, reason] of failures) {
    await t.test(`${name} fails`, async () => {
      await putFile(storage, name, bytes)
      const { id } = await b.vpc(201, 'POST', '/images', imageBody(name))
      const failed = await imageIs(b, id, 'failed')
      assert.equal(failed.status_reasons[0].code, reason)
      assert.ok(!existsSync(join(folder, 'volumes', id)))
      await b.vpc(409, 'POST', '/instances', { zone: { name: 'us-south-1' }, image: { id } })
      await b.vpc(204, 'DELETE', `/images/${id}`)
    })
  }

  await t.test('leave that is taken back counts from the next request', async () => {
    await a.expect(204, 'DELETE', `/v1/policies/${policyId}`)
    const refused = await b.vpc(403, 'POST', '/images', imageBody('disk.raw'))
    assert.equal(refused.errors[0].code, 'cos_not_authorized')
  })
})

test('an import that a kill interrupts is made all the same, and leaves no plaintext behind', async (t) => {
  const folder = tempFolder(t)
  const first = await startServer(t, folder)
  const storage = await makeBucket(first, first.a)
  await putFile(storage, 'disk.raw', rawDisk())
  await first.a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(first.a, first.b) })
  const { id } = await first.b.vpc(201, 'POST', '/images', imageBody('disk.raw'))
  await first.kill()
  const { b } = await startServer(t, folder)
  const image = await imageIs(b, id, 'available')
  assert.deepEqual([image.minimum_provisioned_size, image.file.size], [10, 1])
  const staging = join(folder, 'run', 'imports')
  assert.deepEqual(existsSync(staging) ? readdirSync(staging) : [], [])
  const { instance } = await bootFrom(b, id)
  assert.equal(read(tlsUri(await connectionTo(b, instance), folder)), mark)
})
