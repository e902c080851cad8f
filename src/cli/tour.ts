// The whole story, played against a running server over its public APIs: account A lends a key, account B uses it, A
// takes it back. Every chapter is something that the product promises; the tour ends at the first promise not kept.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { standardPlan } from '#client/key-manager.ts'
import { first, hex, pick, printable, readAt, text } from './answers.ts'
import type { Account, Bootstrap } from './bootstrap-file.ts'
import { nbdClient } from './nbd-client.ts'
import type { NbdClient } from './nbd-client.ts'
import { TourBroken } from './teller.ts'
import type { Answer, Teller } from './teller.ts'

type Token = { readonly variable: string; readonly token: string }

interface Scene {
  readonly teller: Teller
  readonly a: Account & { readonly token: Token }
  readonly b: Account & { readonly token: Token }
  readonly endpoints: Bootstrap['endpoints']
  readonly folder: string
}

const apiVersion = 'version=2026-03-24&generation=2'
const zone = { name: 'us-south-1' }
/** Where the story writes in the volume. */
const markOffsetBytes = 1024 * 1024
const mark = 'the volume of account B, under the key of account A'

export async function tour(teller: Teller, bootstrap: Bootstrap, folder: string): Promise<void> {
  const scene = await signIn(teller, bootstrap, folder)
  const key = await makeKey(scene)
  await refusedWithout(scene, key)
  const policyId = await authorise(scene, key)
  const volume = await makeVolume(scene, key)
  const { instanceId, attachmentId, client } = await attach(scene, volume)
  using nbd = client
  await writeAndRead(scene, volume, nbd)
  await listRegistrations(scene, key)
  const disabledAt = await disableUnderLoad(scene, key, volume, nbd)
  await enable(scene, key, volume, nbd, disabledAt)
  await rotate(scene, key, nbd)
  await forceDelete(scene, key, volume)
  await cleanUp(scene, { volume, instanceId, attachmentId, policyId })
  teller.say('\nThe tour is complete: every step did what was promised.')
}

async function signIn(teller: Teller, bootstrap: Bootstrap, folder: string): Promise<Scene> {
  const { keyOwner, volumeOwner, endpoints } = bootstrap
  teller.chapter('Two accounts, two tokens')
  const file = join(folder, 'bootstrap.json')
  const signInAs = async (account: Account, letter: 'A' | 'B', index: number) => {
    const apiKeyVariable = `APIKEY_${letter}`
    teller.say(`\n${apiKeyVariable}=$(node -p 'JSON.parse(fs.readFileSync("${file}")).accounts[${index}].apiKey')`)
    const url = `${endpoints.iam}/identity/token`
    const why = `Account ${letter} (${account.id}) exchanges its API key for a token.`
    const token = await teller.token({ why, url, variable: `TOKEN_${letter}`, apiKeyVariable, apiKey: account.apiKey })
    return { ...account, token }
  }
  return { teller, endpoints, folder, a: await signInAs(keyOwner, 'A', 0), b: await signInAs(volumeOwner, 'B', 1) }
}

interface Key {
  readonly id: string
  readonly crn: string
  readonly kmsInstanceId: string
}

async function makeKey({ teller, a, endpoints }: Scene): Promise<Key> {
  teller.chapter('A makes a key manager and a root key')
  const instance = await teller.call({
    why: 'A provisions a Key Protect instance of its own.',
    method: 'POST',
    url: `${endpoints.resourceController}/v2/resource_instances`,
    as: a.token,
    body: {
      name: 'tour-keys',
      target: 'us-south',
      resource_group: a.resourceGroupId,
      resource_plan_id: standardPlan,
    },
    expect: 201,
    show: pick('guid', 'state', 'crn'),
  })
  const kmsInstanceId = text(instance, 'guid')
  const created = await teller.call({
    why: 'A creates a root key: it can wrap other keys and never leaves the key manager.',
    method: 'POST',
    url: `${endpoints.kms}/api/v2/keys`,
    as: a.token,
    headers: { 'Bluemix-Instance': kmsInstanceId },
    body: {
      metadata: { collectionType: 'application/vnd.ibm.kms.key+json', collectionTotal: 1 },
      resources: [{ type: 'application/vnd.ibm.kms.key+json', name: 'tour-root-key', extractable: false }],
    },
    expect: 201,
    show: (answer) => pick('id', 'name', 'state', 'crn')(first(answer, 'resources')),
  })
  const key = first(created, 'resources')
  return { id: text(key, 'id'), crn: text(key, 'crn'), kmsInstanceId }
}

const volumeBody = (key: Key) => ({
  profile: { name: 'general-purpose' },
  zone,
  capacity: 20,
  encryption_key: { crn: key.crn },
})

async function refusedWithout({ teller, b, endpoints }: Scene, key: Key): Promise<void> {
  teller.chapter('B may not use it')
  await teller.call({
    why: "B asks for a volume under A's key. The refusal says which authorization is missing, and in whose account.",
    method: 'POST',
    url: `${endpoints.vpc}/volumes?${apiVersion}`,
    as: b.token,
    body: volumeBody(key),
    expect: 400,
  })
}

async function authorise({ teller, a, b, endpoints }: Scene, key: Key): Promise<string> {
  teller.chapter('A authorises B, for this one key')
  const policy = await teller.call({
    why: 'In account A: block storage (server-protect) of account B may use this key as Reader, which is to wrap and unwrap.',
    method: 'POST',
    url: `${endpoints.iam}/v1/policies`,
    as: a.token,
    body: {
      type: 'authorization',
      subjects: [
        {
          attributes: [
            { name: 'serviceName', value: 'server-protect' },
            { name: 'accountId', value: b.id },
          ],
        },
      ],
      roles: [{ role_id: 'crn:v1:bluemix:public:iam::::serviceRole:Reader' }],
      resources: [
        {
          attributes: [
            { name: 'accountId', value: a.id, operator: 'stringEquals' },
            { name: 'serviceName', value: 'kms', operator: 'stringEquals' },
            { name: 'serviceInstance', value: key.kmsInstanceId, operator: 'stringEquals' },
            { name: 'resourceType', value: 'key', operator: 'stringEquals' },
            { name: 'resource', value: key.id, operator: 'stringEquals' },
          ],
        },
      ],
    },
    expect: 201,
    show: pick('id', 'type', 'state'),
  })
  return text(policy, 'id')
}

async function makeVolume({ teller, b, endpoints }: Scene, key: Key): Promise<string> {
  teller.chapter('B makes the volume')
  const volume = await teller.call({
    why: 'The same request as before. The volume is pending while its image is formatted under a fresh data key.',
    method: 'POST',
    url: `${endpoints.vpc}/volumes?${apiVersion}`,
    as: b.token,
    body: volumeBody(key),
    expect: 201,
    show: pick('id', 'name', 'status', 'encryption', 'encryption_key', 'capacity', 'iops'),
  })
  const id = text(volume, 'id')
  await teller.poll(
    {
      why: 'A moment later it is available.',
      method: 'GET',
      url: `${endpoints.vpc}/volumes/${id}?${apiVersion}`,
      as: b.token,
      expect: 200,
      show: pick('id', 'status', 'encryption', 'health_state'),
    },
    (answer) => answer['status'] === 'available',
  )
  return id
}

async function attach(
  { teller, b, endpoints }: Scene,
  volume: string,
): Promise<{ instanceId: string; attachmentId: string; client: NbdClient }> {
  teller.chapter('B attaches it and connects')
  const instance = await teller.call({
    why: 'The record of a machine that B runs.',
    method: 'POST',
    url: `${endpoints.vpc}/instances?${apiVersion}`,
    as: b.token,
    body: { zone },
    expect: 201,
    show: pick('id', 'name', 'status'),
  })
  const instanceId = text(instance, 'id')
  const instanceUrl = `${endpoints.vpc}/instances/${instanceId}`
  const attachment = await teller.call({
    why: 'B attaches the volume to it.',
    method: 'POST',
    url: `${instanceUrl}/volume_attachments?${apiVersion}`,
    as: b.token,
    body: { volume: { id: volume } },
    expect: 201,
    show: pick('id', 'status', 'type'),
  })
  const attachmentId = text(attachment, 'id')
  const own = `${endpoints.vpc.replace(/\/v1$/, '')}/keyward/v1/instances/${instanceId}/volume_attachments/${attachmentId}`
  const connection = await teller.call({
    why: 'How a client gets in: a URI and a secret for TLS-PSK, and a unix socket for the same host.',
    method: 'POST',
    url: `${own}/connection`,
    as: b.token,
    expect: 201,
    show: ({ uri, unix_uri, expires_at }) => ({ uri, tls: { psk_identity: '…', psk_key: '…' }, unix_uri, expires_at }),
  })
  const tls = connection['tls']
  if (typeof tls !== 'object' || tls === null) throw new TourBroken('the connection has no TLS secret')
  const secret: Answer = { ...tls }
  const client = nbdClient(text(connection, 'uri'), text(secret, 'psk_identity'), text(secret, 'psk_key'))
  return { instanceId, attachmentId, client }
}

const readMark = `print(h.pread(${mark.length}, ${markOffsetBytes}).decode())`

async function writeAndRead({ teller, folder }: Scene, volume: string, nbd: NbdClient): Promise<void> {
  teller.chapter('B writes and reads with an ordinary NBD client; on disk there is only ciphertext')
  const script = `h.pwrite(b"${mark}", ${markOffsetBytes}); h.flush(); ${readMark}`
  const { command, output } = await nbd.run(script)
  teller.shell(command, output)
  expectMark(output)

  const path = join(folder, 'volumes', volume, 'volume.luks')
  const dataOffsetBytes = 16 * 1024 * 1024
  const sector = readAt(path, dataOffsetBytes + markOffsetBytes, 4096)
  const rows = [0, 16, 32].map((at) => `${hex(sector, at)}  ${printable(sector, at)}`)
  const skip = (dataOffsetBytes + markOffsetBytes) / 4096
  teller.shell(`dd if=${path} bs=4096 skip=${skip} count=1 status=none | xxd | head -3`, rows.join('\n'))
  if (sector.includes(mark.slice(0, 8))) throw new TourBroken('the bytes at rest are not encrypted')
  teller.say('  (what B wrote, as it lies on the disk)')
}

async function listRegistrations({ teller, a, endpoints }: Scene, key: Key): Promise<void> {
  teller.chapter('A sees who uses its key')
  const answer = await teller.call({
    why: "The registration of B's volume on A's key, made in the transaction that wrapped its data key.",
    method: 'GET',
    url: `${endpoints.kms}/api/v2/keys/${key.id}/registrations`,
    as: a.token,
    headers: { 'Bluemix-Instance': key.kmsInstanceId },
    expect: 200,
    show: (answer) => pick('keyId', 'resourceCrn', 'keyVersion')(first(answer, 'resources')),
  })
  first(answer, 'resources')
}

function keyAction({ a, endpoints }: Scene, key: Key, action: string, why: string) {
  const url = `${endpoints.kms}/api/v2/keys/${key.id}/actions/${action}`
  return {
    why,
    method: 'POST',
    url,
    as: a.token,
    headers: { 'Bluemix-Instance': key.kmsInstanceId },
    expect: 204,
  } as const
}

function volumeStatus({ b, endpoints }: Scene, volume: string, why: string) {
  const url = `${endpoints.vpc}/volumes/${volume}?${apiVersion}`
  const show = pick('id', 'status', 'status_reasons', 'health_state')
  return { why, method: 'GET', url, as: b.token, expect: 200, show } as const
}

const isUnusable = (reason: string) => (answer: Answer) =>
  answer['status'] === 'unusable' && JSON.stringify(answer['status_reasons']).includes(reason)

/** Resolves with the time at which the key was disabled. */
async function disableUnderLoad(scene: Scene, key: Key, volume: string, nbd: NbdClient): Promise<number> {
  const { teller } = scene
  teller.chapter('A disables the key while B is writing')
  const loop = [
    'import time',
    'n = 0',
    'try:',
    '    while True:',
    '        h.pwrite(b"x" * 4096, 4096 * (n % 64)); h.flush(); n += 1',
    '        if n == 100: print("writing", flush=True)',
    'except nbd.Error as e:',
    '    print(f"cut after {n} writes at {time.time():.3f}: {e}")',
  ].join('\n')
  const writer = nbd.start(loop)
  teller.shell(`${writer.command} &`, '')
  await writer.started
  const call = keyAction(scene, key, 'disable', 'A disables the key.')
  const disabledAt = Date.now()
  await teller.call(call)
  const output = await writer.ended
  teller.shell('wait', output)
  const cutAt = /cut after (\d+) writes at ([\d.]+)/.exec(output)?.[2]
  if (cutAt === undefined) throw new TourBroken('the writer was not cut')
  teller.say(`  The running I/O failed ${Math.round(Number(cutAt) * 1000 - disabledAt)} ms after A sent the request.`)
  await teller.poll(volumeStatus(scene, volume, 'The volume says why.'), isUnusable('encryption_key_disabled'))
  return disabledAt
}

/** Key Protect, "Disabling root keys": 30 seconds pass before a key is enabled again. */
const settleMs = 30_000

/** With a virtual clock the operator sets it forward; with the system's clock the story waits like everybody. */
async function waitOut({ teller, folder, endpoints }: Scene, sinceMs: number): Promise<void> {
  const url = `${new URL(endpoints.kms).origin}/keyward/v1/clock/advance`
  const path = join(folder, 'operator.token')
  const authorization = existsSync(path) ? `Bearer ${readFileSync(path, 'utf8').trim()}` : ''
  const headers = { authorization, 'content-type': 'application/json' }
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify({ seconds: settleMs / 1000 }) })
  if (response.ok)
    return teller.say('\n  The server runs on a virtual clock: the operator sets it forward by 30 seconds.')
  const leftMs = Math.max(0, sinceMs + settleMs + 1000 - Date.now())
  teller.say(`\n  The story waits for ${Math.ceil(leftMs / 1000)} seconds.`)
  await new Promise((resolve) => setTimeout(resolve, leftMs))
}

async function enable(scene: Scene, key: Key, volume: string, nbd: NbdClient, disabledAt: number): Promise<void> {
  scene.teller.chapter('A enables it again')
  const tooEarly = keyAction(scene, key, 'enable', 'Not at once: who disables a key means it, and has 30 seconds.')
  if (Date.now() < disabledAt + settleMs) await scene.teller.call({ ...tooEarly, expect: 409 })
  await waitOut(scene, disabledAt)
  await scene.teller.call(keyAction(scene, key, 'enable', 'A enables the key.'))
  const why = 'The volume recovers by itself.'
  await scene.teller.poll(volumeStatus(scene, volume, why), (answer) => answer['status'] === 'available')
  const { command, output } = await nbd.run(readMark)
  scene.teller.shell(command, output)
  expectMark(output)
}

async function rotate(scene: Scene, key: Key, nbd: NbdClient): Promise<void> {
  scene.teller.chapter('A rotates it')
  await scene.teller.call(
    keyAction(scene, key, 'rotate', 'New material under the same name; the old version still opens what it wrapped.'),
  )
  const { command, output } = await nbd.run(readMark)
  scene.teller.shell(command, output)
  expectMark(output)
}

async function forceDelete(scene: Scene, key: Key, volume: string): Promise<void> {
  const { teller, a, endpoints } = scene
  teller.chapter('A deletes it')
  const deletion = {
    method: 'DELETE',
    as: a.token,
    headers: { 'Bluemix-Instance': key.kmsInstanceId },
  } as const
  const url = `${endpoints.kms}/api/v2/keys/${key.id}`
  const why = 'A key with registrations is not deleted by accident.'
  await teller.call({ ...deletion, why, url, expect: 409 })
  await teller.call({
    ...deletion,
    why: 'With force it is.',
    url: `${url}?force=true`,
    headers: { ...deletion.headers, Prefer: 'return=representation' },
    expect: 200,
    show: (answer) => pick('id', 'state', 'deletionDate')(first(answer, 'resources')),
  })
  const gone = volumeStatus(scene, volume, "B's volume is gone for good: nothing can open it.")
  await teller.poll(gone, isUnusable('encryption_key_deleted'))
}

async function cleanUp(
  { teller, a, b, endpoints }: Scene,
  made: { volume: string; instanceId: string; attachmentId: string; policyId: string },
): Promise<void> {
  teller.chapter('Tidying up')
  const instanceUrl = `${endpoints.vpc}/instances/${made.instanceId}`
  const asB = { method: 'DELETE', as: b.token, expect: 204 } as const
  const attachmentUrl = `${instanceUrl}/volume_attachments/${made.attachmentId}?${apiVersion}`
  await teller.call({ ...asB, why: 'B detaches the volume.', url: attachmentUrl })
  await teller.call({ ...asB, why: 'B deletes it.', url: `${endpoints.vpc}/volumes/${made.volume}?${apiVersion}` })
  await teller.call({ ...asB, why: 'B deletes the instance.', url: `${instanceUrl}?${apiVersion}` })
  const url = `${endpoints.iam}/v1/policies/${made.policyId}`
  await teller.call({ why: 'A removes the authorization.', method: 'DELETE', as: a.token, url, expect: 204 })
}

function expectMark(output: string): void {
  if (output.trim() !== mark) throw new TourBroken(`read back something else: ${JSON.stringify(output)}`)
}
