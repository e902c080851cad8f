// What the drill is played on: a root key, an authorization for this account's own block storage, volumes, and a machine that
// they are attached to. All of it is taken away again, the last first, each whatever became of the others.

import { parseCrn } from '#base/crn.ts'
import { letUse } from '#client/authorization.ts'
import { envelope, inInstance } from '#client/key-manager.ts'
import type { KeyManager } from '#client/key-manager.ts'
import { Refusal } from '#client/refusal.ts'
import type { Cli } from './context.ts'
import type { Connection } from './drill-clients.ts'
import { Failure } from './failure.ts'
import type { Session } from './session.ts'
import { firstZone, volumeIs } from './volumes.ts'
import { until } from './wait.ts'

export interface Scratch {
  readonly keyCrn: string
  readonly connections: readonly Connection[]
  /** Sends the request that ends the right, and waits for its answer. */
  disable(): Promise<void>
}

const name = (what: string, mark: string): string => `keyward-drill-${what}-${mark}`

/** `undo` is filled as things are made; whoever made it disposes of it. */
export async function makeScratch(
  {
    cli,
    session,
    keyManager,
    volumeCount,
  }: { cli: Cli; session: Session; keyManager: KeyManager; volumeCount: number },
  undo: AsyncDisposableStack,
): Promise<Scratch> {
  const mark = cli.clock.now().toString(36)
  /** What cannot be removed is named, and the rest is removed all the same. */
  const later = (what: string, remove: () => Promise<unknown>): void =>
    undo.defer(async () => {
      try {
        await remove()
      } catch (error) {
        if (error instanceof Refusal && (error.status === 404 || error.status === 410)) return
        cli.say(`${what} could not be removed: ${error instanceof Error ? error.message : String(error)}`)
      }
    })
  const stop = (): void => {
    if (cli.ending.aborted) throw new Failure('interrupted', 'the drill was interrupted')
  }

  const headers = inInstance(keyManager.guid)
  const { resources } = await session.call('kms', 'createKey', {
    headers,
    body: envelope('key', [{ type: 'application/vnd.ibm.kms.key+json', name: name('key', mark), extractable: false }]),
  })
  const [key] = resources
  if (!key?.crn) throw new Failure('failed', 'the server answers without the key that it has made')
  const path = { id: key.id }
  later(`key ${key.id}`, () => session.call('kms', 'deleteKey', { headers, path, query: { force: true } }))

  const { serviceName = 'kms', serviceInstance: instanceId = '' } = parseCrn(key.crn) ?? {}
  const { accountId } = session
  const policy = await session.call('iam', 'createPolicy', {
    body: letUse({ owner: accountId, user: accountId, serviceName, instanceId, keyId: key.id }),
  })
  later(`authorization ${policy.id}`, () => session.call('iam', 'deletePolicy', { path: { id: policy.id } }))

  const zone = { name: await firstZone(session) }
  const volumes: string[] = []
  const isGone = (id: string): Promise<boolean> =>
    session.call('vpc', 'getVolume', { path: { id } }).then(
      () => false,
      (error: unknown) => {
        if (error instanceof Refusal && error.status === 404) return true
        throw error
      },
    )
  for (let at = 0; at < volumeCount; at += 1) {
    stop()
    const body = { profile: { name: 'general-purpose' }, zone, capacity: 10, encryption_key: { crn: key.crn } }
    const { id } = await session.call('vpc', 'createVolume', {
      body: { ...body, name: name(`volume-${at}`, mark) },
    })
    volumes.push(id)
    later(`volume ${id}`, async () => {
      // Detaching may still be under way: until it is done, the answer is a conflict.
      const isAsked = (): Promise<boolean> =>
        session.call('vpc', 'deleteVolume', { path: { id } }).then(
          () => true,
          (error: unknown) => {
            if (error instanceof Refusal && error.status === 409) return false
            throw error
          },
        )
      const what = `the deletion of ${id}`
      await until(cli, { timeout: 60, what, ask: isAsked, isThere: (asked) => asked, problem: () => null })
      await until(cli, { timeout: 60, what, ask: () => isGone(id), isThere: (gone) => gone, problem: () => null })
    })
  }
  for (const id of volumes) await volumeIs(cli, session, id, undefined)

  stop()
  const machine = await session.call('vpc', 'createInstance', { body: { zone, name: name('machine', mark) } })
  later(`instance ${machine.id}`, () => session.call('vpc', 'deleteInstance', { path: { id: machine.id } }))
  const connections: Connection[] = []
  for (const id of volumes) {
    stop()
    const attachment = await session.call('vpc', 'createVolumeAttachment', {
      path: { instance_id: machine.id },
      body: { volume: { id } },
    })
    const place = { instance_id: machine.id, id: attachment.id }
    later(`attachment ${attachment.id}`, () => session.call('vpc', 'deleteVolumeAttachment', { path: place }))
    connections.push(await session.call('keyward', 'createConnection', { path: place }))
  }
  return {
    keyCrn: key.crn,
    connections,
    disable: () => session.call('kms', 'disableKey', { headers, path, query: {} }).then(() => undefined),
  }
}
