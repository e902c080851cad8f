// Snapshots, images and instances: the lists of VPC that volumes are made of and attached to.

import { instanceTones, snapshotTones, snapshotWhyNot, words } from '#client/words.ts'
import { parseCrn } from '#base/crn.ts'
import { command, limit, text, yes } from './command.ts'
import { Failure } from './failure.ts'
import { findImage, findInstance, findSnapshot, findVolume } from './find.ts'
import { allPages } from './pages.ts'
import { details, done, listed } from './shown.ts'
import { until, waitOptions } from './wait.ts'

const page = (start: string | undefined) => ({ limit: 100, ...(start !== undefined && { start }) })

const snapshotArgs = [{ name: 'snapshot', help: 'name, id or CRN', kind: 'snapshot' }] as const
const instanceArgs = [{ name: 'instance', help: 'name, id or CRN', kind: 'instance' }] as const

export const snapshotCommands = [
  command({
    name: 'snapshots list',
    summary: 'List the snapshots of the account',
    options: { limit, volume: text('VOLUME', 'only those of this volume', { kind: 'volume' }) },
    async run(cli, given) {
      const session = await cli.session()
      const volume = given.volume === undefined ? null : await findVolume(session, given.volume)
      const body = await allPages(
        (start?: string) =>
          session.call('vpc', 'listSnapshots', {
            query: { ...page(start), ...(volume && { 'source_volume.id': volume.id }) },
          }),
        'snapshots',
        given.limit,
      )
      return listed({
        body,
        rows: body.snapshots,
        id: ({ id }) => id,
        none: 'There is no snapshot. Take one: keyward snapshots create VOLUME',
        columns: [
          { title: 'NAME', cell: ({ name }) => name, shrinks: true },
          {
            title: 'STATE',
            cell: (one) => words(one.lifecycle_state),
            tint: (one) => snapshotTones[one.lifecycle_state],
          },
          { title: 'GB', cell: (one) => String(one.minimum_capacity), right: true },
          { title: 'OF', cell: (one) => one.source_volume.name, shrinks: true },
          { title: 'TAKEN', cell: (one) => one.captured_at ?? one.created_at },
        ],
      })
    },
  }),
  command({
    name: 'snapshots show',
    summary: 'Show a snapshot',
    args: snapshotArgs,
    async run(cli, given) {
      const snapshot = await findSnapshot(await cli.session(), given.snapshot)
      return {
        body: snapshot,
        ids: [snapshot.id],
        text: (paper) =>
          details(paper, [
            ['name', snapshot.name],
            ['id', snapshot.id],
            ['CRN', snapshot.crn],
            ['state', words(snapshot.lifecycle_state), snapshotTones[snapshot.lifecycle_state]],
            ['size', `${snapshot.minimum_capacity} GB`],
            ['of', snapshot.source_volume.name],
            ['key', snapshot.encryption_key?.crn ?? "the provider's"],
            ['taken', snapshot.captured_at],
          ]),
      }
    },
  }),
  command({
    name: 'snapshots create',
    summary: 'Take a snapshot of a volume as it is at one moment, while clients write',
    args: [{ name: 'volume', help: 'name, id or CRN', kind: 'volume' }],
    options: { name: text('NAME', 'what to call it'), ...waitOptions },
    async run(cli, given) {
      const session = await cli.session()
      const volume = await findVolume(session, given.volume)
      const made = await session.call('vpc', 'createSnapshot', {
        body: { source_volume: { id: volume.id }, ...(given.name && { name: given.name }) },
      })
      const snapshot = given.wait
        ? await until(cli, {
            timeout: given.timeout,
            what: `snapshot ${made.name}`,
            ask: () => session.call('vpc', 'getSnapshot', { path: { id: made.id } }),
            isThere: (one) => one.lifecycle_state === 'stable',
            problem: (one) =>
              one.lifecycle_state === 'failed' || one.lifecycle_state === 'unusable'
                ? `snapshot ${one.name} is ${one.lifecycle_state}`
                : null,
          })
        : made
      const next = `keyward volumes create NAME --snapshot ${snapshot.name}`
      return done(`Took snapshot ${snapshot.name}, ${snapshot.id}. A volume of it: ${next}`, snapshot, snapshot.id)
    },
  }),
  command({
    name: 'snapshots delete',
    summary: 'Delete a snapshot',
    args: snapshotArgs,
    options: { yes },
    async run(cli, given) {
      const session = await cli.session()
      const { id, name, lifecycle_state: state } = await findSnapshot(session, given.snapshot)
      const whyNot = snapshotWhyNot('delete', state)
      if (whyNot) throw new Failure('conflict', whyNot)
      if (!given.yes) await cli.asker.confirm(`Delete ${name}?`)
      await session.call('vpc', 'deleteSnapshot', { path: { id } })
      return done(`Deleted ${name}.`, undefined, id)
    },
  }),
]

export const imageCommands = [
  command({
    name: 'images list',
    summary: "List the account's images, and those that everybody has",
    options: { limit, visibility: text('WHOSE', 'only those', { choices: ['private', 'public'] }) },
    async run(cli, given) {
      const session = await cli.session()
      const body = await allPages(
        (start?: string) =>
          session.call('vpc', 'listImages', {
            query: { ...page(start), ...(given.visibility && { visibility: given.visibility }) },
          }),
        'images',
        given.limit,
      )
      return listed({
        body,
        rows: body.images,
        id: ({ id }) => id,
        none: 'There is no image.',
        columns: [
          { title: 'NAME', cell: ({ name }) => name, shrinks: true },
          { title: 'STATUS', cell: ({ status }) => words(status) },
          { title: 'WHOSE', cell: ({ visibility }) => visibility },
          { title: 'GB', cell: (image) => String(image.minimum_provisioned_size ?? ''), right: true },
          { title: 'SYSTEM', cell: (image) => image.operating_system?.name ?? '', shrinks: true },
        ],
      })
    },
  }),
  command({
    name: 'images show',
    summary: 'Show an image',
    args: [{ name: 'image', help: 'name, id or CRN', kind: 'image' }],
    async run(cli, given) {
      const image = await findImage(await cli.session(), given.image)
      return {
        body: image,
        ids: [image.id],
        text: (paper) =>
          details(paper, [
            ['name', image.name],
            ['id', image.id],
            ['CRN', image.crn],
            ['status', words(image.status)],
            ['why', image.status_reasons.map(({ message }) => message).join('\n')],
            ['whose', image.visibility],
            ['system', image.operating_system?.name],
            ['key', image.encryption_key?.crn],
            ['created', image.created_at],
          ]),
      }
    },
  }),
]

const attachedVolumes = (instance: { readonly volume_attachments: readonly { volume: { name: string } }[] }): string =>
  instance.volume_attachments.map(({ volume }) => volume.name).join(', ')

export const instanceCommands = [
  command({
    name: 'instances list',
    summary: 'List the instances of the account',
    options: { limit },
    async run(cli, given) {
      const session = await cli.session()
      const body = await allPages(
        (start?: string) => session.call('vpc', 'listInstances', { query: page(start) }),
        'instances',
        given.limit,
      )
      return listed({
        body,
        rows: body.instances,
        id: ({ id }) => id,
        none: 'There is no instance. `keyward attach VOLUME` makes one that stands for this machine.',
        columns: [
          { title: 'NAME', cell: ({ name }) => name, shrinks: true },
          { title: 'STATUS', cell: ({ status }) => status, tint: ({ status }) => instanceTones[status] },
          { title: 'ZONE', cell: ({ zone }) => zone.name },
          { title: 'VOLUMES', cell: attachedVolumes, shrinks: true },
        ],
      })
    },
  }),
  command({
    name: 'instances show',
    summary: 'Show an instance and its volumes',
    args: instanceArgs,
    async run(cli, given) {
      const instance = await findInstance(await cli.session(), given.instance)
      return {
        body: instance,
        ids: [instance.id],
        text: (paper) =>
          details(paper, [
            ['name', instance.name],
            ['id', instance.id],
            ['CRN', instance.crn],
            ['status', instance.status, instanceTones[instance.status]],
            ['why', instance.status_reasons.map(({ message }) => message).join('\n')],
            ['zone', instance.zone.name],
            ['image', parseCrn(instance.image?.crn ?? '')?.resource],
            ['volumes', attachedVolumes(instance) || 'none'],
            ['created', instance.created_at],
          ]),
      }
    },
  }),
  command({
    name: 'instances delete',
    summary: 'Delete an instance, with the volumes that are to go with it',
    args: instanceArgs,
    options: { yes },
    async run(cli, given) {
      const session = await cli.session()
      const { id, name } = await findInstance(session, given.instance)
      if (!given.yes) {
        const { volume_attachments: attachments } = await session.call('vpc', 'listVolumeAttachments', {
          path: { instance_id: id },
        })
        const going = attachments.filter((one) => one.delete_volume_on_instance_delete).map(({ volume }) => volume.name)
        if (going.length > 0) cli.say(`These volumes go with it: ${going.join(', ')}.`)
        await cli.asker.confirmByName(`Delete ${name}?`, name)
      }
      await session.call('vpc', 'deleteInstance', { path: { id } })
      return done(`Deleted ${name}.`, undefined, id)
    },
  }),
]
