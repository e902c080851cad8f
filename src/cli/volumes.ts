// Volumes.

import { parseCrn } from '#base/crn.ts'
import type { Given } from '#client/operations.ts'
import { Refusal } from '#client/refusal.ts'
import { volumeTones, volumeWhyNot, words } from '#client/words.ts'
import { command, keyManagerOption, limit, text, whole, yes } from './command.ts'
import type { Cli } from './context.ts'
import { Failure } from './failure.ts'
import { findSnapshot, findVolume } from './find.ts'
import type { Volume } from './find.ts'
import { crnOfKey } from './find-key.ts'
import { allPages } from './pages.ts'
import type { Session } from './session.ts'
import { details, done, listed } from './shown.ts'
import { until, waitOptions } from './wait.ts'

const args = [{ name: 'volume', help: 'name, id or CRN', kind: 'volume' }] as const

/** Whose key a volume is under, as briefly as can be. */
const keyOwner = (volume: Volume, accountId: string): string => {
  const owner = parseCrn(volume.encryption_key?.crn ?? '')?.accountId
  if (owner === undefined) return "the provider's"
  return owner === accountId ? 'own' : `of ${owner.slice(0, 8)}…`
}

const attachedTo = (volume: Volume): string => volume.volume_attachments.map(({ instance }) => instance.name).join(', ')

const list = command({
  name: 'volumes list',
  summary: 'List the volumes of the account',
  options: {
    limit,
    zone: text('ZONE', 'only of this zone'),
    attached: text('STATE', 'only those', { choices: ['attached', 'unattached', 'unusable'] }),
  },
  async run(cli, given) {
    const session = await cli.session()
    const body = await allPages(
      (start?: string) =>
        session.call('vpc', 'listVolumes', {
          query: {
            limit: 100,
            ...(start !== undefined && { start }),
            ...(given.zone && { 'zone.name': given.zone }),
            ...(given.attached && { attachment_state: given.attached }),
          },
        }),
      'volumes',
      given.limit,
    )
    return listed({
      body,
      rows: body.volumes,
      id: ({ id }) => id,
      none: 'There is no volume. Make one: keyward volumes create NAME --capacity GB --key KEY',
      columns: [
        { title: 'NAME', cell: ({ name }) => name, shrinks: true },
        { title: 'STATUS', cell: ({ status }) => words(status), tint: ({ status }) => volumeTones[status] },
        { title: 'GB', cell: ({ capacity }) => String(capacity), right: true },
        { title: 'ZONE', cell: ({ zone }) => zone.name },
        { title: 'KEY', cell: (volume) => keyOwner(volume, session.accountId) },
        { title: 'ATTACHED TO', cell: attachedTo, shrinks: true },
      ],
    })
  },
})

const show = command({
  name: 'volumes show',
  summary: 'Show a volume, and why it is not available where it is not',
  args,
  async run(cli, given) {
    const session = await cli.session()
    const volume = await findVolume(session, given.volume)
    return {
      body: volume,
      ids: [volume.id],
      text: (paper) =>
        details(paper, [
          ['name', volume.name],
          ['id', volume.id],
          ['CRN', volume.crn],
          ['status', words(volume.status), volumeTones[volume.status]],
          ['why', volume.status_reasons.map(({ message, code }) => `${message} (${code})`).join('\n')],
          ['next', volume.status === 'unusable' ? `keyward explain ${volume.name}` : null],
          ['health', volume.health_reasons.map(({ message }) => message).join('\n')],
          ['size', `${volume.capacity} GB, ${volume.iops} IOPS, ${volume.profile.name}`],
          ['zone', volume.zone.name],
          ['key', volume.encryption_key?.crn ?? "the provider's"],
          ['attached to', attachedTo(volume) || 'nothing'],
          ['made of', volume.source_snapshot?.name ?? volume.source_image?.name],
          ['created', volume.created_at],
        ]),
    }
  },
})

const create = command({
  name: 'volumes create',
  summary: 'Make a volume, under a key of this account or, by its CRN, of another',
  args: [{ name: 'name', help: 'lower-case letters, digits and hyphens', optional: true }],
  options: {
    capacity: whole('GB', 'size; that of the snapshot where nothing is said', { min: 1, max: 1_000_000 }),
    key: text('KEY', "a root key: name, id, or another account's CRN; the provider's where nothing is said", {
      kind: 'key',
    }),
    keyManager: keyManagerOption,
    zone: text('ZONE', 'where; the first zone there is'),
    profile: text('PROFILE', 'how fast; general-purpose where nothing is said'),
    iops: whole('N', 'for the profiles that let one choose', { min: 1, max: 1_000_000 }),
    snapshot: text('SNAPSHOT', 'what it begins with', { kind: 'snapshot' }),
    ...waitOptions,
  },
  examples: [
    ['volumes create data --capacity 100 --key payroll', 'Under a key of this account'],
    ['volumes create data --capacity 100 --key crn:v1:... --wait', "Under another account's, until it is available"],
  ],
  async run(cli, given) {
    const session = await cli.session()
    if (given.capacity === undefined && given.snapshot === undefined) {
      throw new Failure('usage', 'say how large: --capacity GB')
    }
    const source = given.snapshot === undefined ? null : await snapshotOf(session, given.snapshot)
    const key = given.key === undefined ? null : await crnOfKey(session, given.key, given.keyManager)
    const body: NonNullable<Given<'vpc', 'createVolume'>['body']> = {
      profile: { name: given.profile ?? 'general-purpose' },
      zone: { name: given.zone ?? (await firstZone(session)) },
      ...(given.name && { name: given.name }),
      ...(given.capacity && { capacity: given.capacity }),
      ...(given.iops && { iops: given.iops }),
      ...(key && { encryption_key: { crn: key } }),
      ...(source && { source_snapshot: source }),
    }
    const made = await session.call('vpc', 'createVolume', { body })
    if (!given.wait) {
      return done(`Making volume ${made.name}, ${made.id}. Next: keyward attach ${made.name}`, made, made.id)
    }
    const volume = await volumeIs(cli, session, made.id, given.timeout)
    return done(`Made volume ${volume.name}, ${volume.id}. Next: keyward attach ${volume.name}`, volume, volume.id)
  },
})

/** Another account's snapshot is named by its CRN, and looked up by the server. */
const snapshotOf = async (session: Session, said: string) => {
  const crn = parseCrn(said)
  if (crn && crn.accountId !== session.accountId) return { crn: said }
  return { id: (await findSnapshot(session, said)).id }
}

export async function firstZone(session: Session): Promise<string> {
  const { regions } = await session.call('vpc', 'listRegions', {})
  const { zones } = await session.call('vpc', 'listRegionZones', { path: { name: regions[0]?.name ?? '' } })
  const [zone] = zones
  if (!zone) throw new Failure('notFound', 'the server names no zone', { next: 'say --zone' })
  return zone.name
}

/** Available; where its key is not usable it never will be by waiting. */
export const volumeIs = (cli: Cli, session: Session, id: string, timeout: number | undefined): Promise<Volume> =>
  until(cli, {
    timeout,
    what: `volume ${id}`,
    ask: () => session.call('vpc', 'getVolume', { path: { id } }),
    isThere: ({ status, health_state: health }) => status === 'available' && health === 'ok',
    problem: ({ name, status, status_reasons: reasons }) =>
      status === 'unusable' || status === 'failed'
        ? `volume ${name} is ${status}: ${reasons.map(({ message }) => message).join('; ')}`
        : null,
  })

const grow = command({
  name: 'volumes grow',
  summary: 'Make a volume larger; it counts from the next opening of the volume',
  args,
  options: { to: whole('GB', 'the new size', { min: 1, max: 1_000_000, required: true }), ...waitOptions },
  async run(cli, given) {
    const session = await cli.session()
    const volume = await findVolume(session, given.volume)
    const { id, name, capacity, status } = volume
    if (given.to <= capacity) {
      throw new Failure('usage', `${name} has ${capacity} GB already, and volumes only grow`)
    }
    const whyNot = volumeWhyNot('resize', status)
    if (whyNot) throw new Failure('conflict', whyNot, { next: `keyward explain ${name}` })
    if (!volume.adjustable_capacity_states.includes(volume.attachment_state)) {
      throw new Failure('conflict', `${name} grows while it is attached`, { next: `keyward attach ${name}` })
    }
    const changed = await session.call('vpc', 'updateVolume', { path: { id }, body: { capacity: given.to } })
    const grown = given.wait ? await volumeIs(cli, session, id, given.timeout) : changed
    return done(`${name} has ${grown.capacity} GB. Then grow the file system in it.`, grown, id)
  },
})

const remove = command({
  name: 'volumes delete',
  summary: 'Delete a volume, with everything in it',
  args,
  options: { yes, ...waitOptions },
  async run(cli, given) {
    const session = await cli.session()
    const { id, name, status, capacity } = await findVolume(session, given.volume)
    const whyNot = volumeWhyNot('delete', status)
    if (whyNot) throw new Failure('conflict', whyNot)
    if (!given.yes) await cli.asker.confirmByName(`Delete ${name}, ${capacity} GB? This cannot be taken back.`, name)
    await session.call('vpc', 'deleteVolume', { path: { id } })
    if (given.wait) await volumeIsGone(cli, session, id, given.timeout)
    return done(`Deleted ${name}.`, undefined, id)
  },
})

const volumeIsGone = (cli: Cli, session: Session, id: string, timeout: number | undefined) =>
  until(cli, {
    timeout,
    what: `the deletion of ${id}`,
    ask: () =>
      session.call('vpc', 'getVolume', { path: { id } }).catch((error: unknown) => {
        if (error instanceof Refusal && error.status === 404) return null
        throw error
      }),
    isThere: (volume) => volume === null,
    problem: () => null,
  })

export const volumeCommands = [list, show, create, grow, remove]
