// Machines that a server runs: what they print, and the processes that they are.

import { readdirSync, readFileSync } from 'node:fs'
import { until } from './api.ts'
import type { Api, Json } from './api.ts'
import { bootSector, sectorWith } from './boot-sector.ts'
import { imageAuthorization, instanceIs, makeBucket, makeImage, putFile } from './images.ts'
import { nbdsh, tlsUri } from './nbd.ts'
import type { Server } from './server.ts'
import { attach, authorization, makeRootKey, makeVolume } from './story.ts'

export const qemuSettings = ['--compute-driver', 'qemu', '--machine-memory-max', '48'] as const

/** A's key and bucket, the authorizations for B, and B's image of the boot sector. */
export async function machineWorld(server: Server): Promise<{ key: { id: string; crn: string }; imageId: string }> {
  const { a, b } = server
  const key = await makeRootKey(a)
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b) })
  await a.expect(201, 'POST', '/v1/policies', { body: imageAuthorization(a, b) })
  await putFile(await makeBucket(server, a), 'boot.raw', bootSector())
  const image = await makeImage(b, 'boot.raw', { encryption_key: { crn: key.crn } })
  return { key, imageId: image.id }
}

/** A volume that begins with the text, written through an instance without a machine. */
export async function volumeSaying(user: Api, keyCrn: string, text: string, folder: string): Promise<Json> {
  const volume = await makeVolume(user, keyCrn)
  const { instanceId, attachmentId, connection } = await attach(user, volume.id)
  const bytes = sectorWith(text).toString('hex')
  nbdsh(tlsUri(connection, folder), `h.pwrite(bytes.fromhex("${bytes}"), 0); h.flush()`)
  await user.vpc(204, 'DELETE', `/instances/${instanceId}/volume_attachments/${attachmentId}`)
  await user.vpc(204, 'DELETE', `/instances/${instanceId}`)
  return volume
}

/** An instance of the image whose machine has begun to count. */
export async function startMachine(
  user: Api,
  { imageId, key }: { readonly imageId: string; readonly key: { readonly crn: string } },
  more: Record<string, unknown> = {},
): Promise<string> {
  const { id } = await user.vpc(201, 'POST', '/instances', {
    zone: { name: 'us-south-1' },
    image: { id: imageId },
    boot_volume_attachment: {
      volume: { profile: { name: 'general-purpose' }, encryption_key: { crn: key.crn } },
    },
    ...more,
  })
  await instanceIs(user, id, 'running')
  await printed(user, id, /beat 0002/)
  return id
}

export const act = (user: Api, id: string, type: 'start' | 'stop' | 'reboot', force = false): Promise<Json> =>
  user.vpc(201, 'POST', `/instances/${id}/actions`, { type, force })

export async function consoleOf(user: Api, id: string): Promise<string> {
  const { text } = await user.expect(200, 'GET', `/keyward/v1/instances/${id}/console_log`)
  return text
}

/** What the machine has printed beyond what was printed before, as soon as it is something like this. */
export async function printed(user: Api, id: string, wanted: RegExp, before = ''): Promise<string> {
  const text = await until(
    () => consoleOf(user, id),
    (all) => wanted.test(all.slice(before.length)),
  )
  return text.slice(before.length)
}

interface Process {
  readonly processId: number
  readonly args: readonly string[]
}

/** Zombies have no command lines. */
const processes = (): readonly Process[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ processId: Number(name), args: readIfThere(`/proc/${name}/cmdline`).split('\0') }))

/** The command lines of the machine's processes, by their ids. */
export const machineProcesses = (instanceId: string): ReadonlyMap<number, readonly string[]> =>
  new Map(
    processes()
      .filter(({ args }) => args.includes('-name') && args.includes(instanceId))
      .map(({ processId, args }) => [processId, args]),
  )

export const parentOf = (processId: number): number =>
  Number(/^PPid:\s+(\d+)$/m.exec(readIfThere(`/proc/${processId}/status`))?.[1])

export const childrenOf = (processId: number): readonly Process[] =>
  processes().filter((one) => parentOf(one.processId) === processId)

export const machineIsGone = (instanceId: string): Promise<unknown> =>
  until(
    async () => machineProcesses(instanceId).size,
    (count) => count === 0,
  )

/** Processes come and go while they are listed. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
