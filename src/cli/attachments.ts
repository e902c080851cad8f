// A volume and a machine: attached, detached. How the machine then opens it is in connect.ts.

import { hostname } from 'node:os'
import { volumeWhyNot } from '#client/words.ts'
import { command, flag, yes } from './command.ts'
import type { Cli } from './context.ts'
import { dropSecret } from './connection-secret.ts'
import { Failure } from './failure.ts'
import { findInstance, findVolume } from './find.ts'
import type { Instance, Volume } from './find.ts'
import type { Session } from './session.ts'
import { done } from './shown.ts'
import { until, waitOptions } from './wait.ts'

export type Attachment = Volume['volume_attachments'][number]

const volumeArgument = { name: 'volume', help: 'name, id or CRN', kind: 'volume' } as const

/** The attachment that is meant: the only one, or the one to this instance. */
export async function attachmentOf(
  session: Session,
  volume: Volume,
  instance: string | undefined,
): Promise<Attachment> {
  const all = volume.volume_attachments
  const id = instance === undefined ? null : (await findInstance(session, instance)).id
  const [only, ...more] = id === null ? all : all.filter((one) => one.instance.id === id)
  if (only && more.length === 0) return only
  if (only) {
    throw new Failure('usage', `${volume.name} is attached to several instances`, {
      next: `name one of ${all.map((one) => one.instance.name).join(', ')}`,
    })
  }
  throw new Failure('conflict', `${volume.name} is not attached${instance === undefined ? '' : ` to ${instance}`}`, {
    next: `keyward attach ${volume.name}`,
  })
}

/** VPC API, names: lower-case letters, digits and single hyphens, a letter first. */
function nameOfThisMachine(): string {
  const name = hostname()
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 50)
  return /^[a-z]/.test(name) ? name : `host-${name || 'here'}`
}

async function instanceFor(
  session: Session,
  volume: Volume,
  given: string | undefined,
  create: boolean,
): Promise<Instance> {
  const name = given ?? nameOfThisMachine()
  try {
    return await findInstance(session, name)
  } catch (error) {
    const isMissing = error instanceof Failure && error.code === 'notFound'
    if (!isMissing) throw error
    if (given !== undefined && !create)
      throw new Failure('notFound', error.message, { next: 'say --create to make it' })
  }
  return await session.call('vpc', 'createInstance', { body: { name, zone: { name: volume.zone.name } } })
}

const attach = command({
  name: 'attach',
  summary: 'Attach a volume to an instance; without one, to that which stands for this machine',
  description:
    'An instance stands for one machine of yours. Without INSTANCE it is called as this machine is, and made where there is none yet.',
  args: [volumeArgument, { name: 'instance', help: 'name, id or CRN', kind: 'instance', optional: true }],
  options: {
    create: flag('make the instance where there is none of that name'),
    deleteWithInstance: flag('the volume goes when the instance does'),
    ...waitOptions,
  },
  async run(cli, given) {
    const session = await cli.session()
    const volume = await findVolume(session, given.volume)
    const whyNot = volumeWhyNot('attach', volume.status)
    if (whyNot) throw new Failure('conflict', whyNot, { next: `keyward explain ${volume.name}` })
    const instance = await instanceFor(session, volume, given.instance, given.create)
    const made = await session.call('vpc', 'createVolumeAttachment', {
      path: { instance_id: instance.id },
      body: {
        volume: { id: volume.id },
        ...(given.deleteWithInstance && { delete_volume_on_instance_delete: true }),
      },
    })
    const attachment = given.wait ? await attached(cli, session, instance.id, made.id, given.timeout) : made
    return done(
      `Attached ${volume.name} to ${instance.name}. Next: keyward connect ${volume.name}`,
      attachment,
      made.id,
    )
  },
})

const attached = (cli: Cli, session: Session, instanceId: string, id: string, timeout: number | undefined) =>
  until(cli, {
    timeout,
    what: `attachment ${id}`,
    ask: () => session.call('vpc', 'getVolumeAttachment', { path: { instance_id: instanceId, id } }),
    isThere: ({ status }) => status === 'attached',
    problem: ({ status }) => (status === 'attaching' ? null : `attachment ${id} is ${status}`),
  })

const detach = command({
  name: 'detach',
  summary: 'Detach a volume; open connections are cut',
  args: [
    volumeArgument,
    { name: 'instance', help: 'where it is attached to several', kind: 'instance', optional: true },
  ],
  options: { yes },
  async run(cli, given) {
    const session = await cli.session()
    const volume = await findVolume(session, given.volume)
    const { id, instance } = await attachmentOf(session, volume, given.instance)
    if (!given.yes) {
      cli.say('Open connections are cut. Flush and unmount on the machine first.')
      await cli.asker.confirm(`Detach ${volume.name} from ${instance.name}?`)
    }
    await session.call('vpc', 'deleteVolumeAttachment', { path: { instance_id: instance.id, id } })
    dropSecret(cli, id)
    return done(`Detached ${volume.name} from ${instance.name}.`, undefined, id)
  },
})

export const attachmentCommands = [attach, detach]
