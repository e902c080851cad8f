// Keys: looking at them and making them. What is done to them is in key-actions.ts.

import { readFileSync } from 'node:fs'
import { envelope, inInstance, isRoot } from '#client/key-manager.ts'
import type { Key } from '#client/key-manager.ts'
import { keyStateNames, keyStateOf, keyTones } from '#client/words.ts'
import { command, flag, keyManagerOption, limit, text } from './command.ts'
import type { Cli } from './context.ts'
import { Failure } from './failure.ts'
import { at, everyState, findKey, findKeyManager, keyManagers } from './find-key.ts'
import { keyActionCommands } from './key-actions.ts'
import { allOffsets } from './pages.ts'
import { details, done, listed } from './shown.ts'
import { timeOption, timeOf } from './times.ts'

const keyPageSize = 200

const stateName = (key: Key): string => keyStateNames[keyStateOf(key.state)]

const list = command({
  name: 'keys list',
  summary: 'List the keys of the account, of all its key managers',
  options: {
    keyManager: keyManagerOption,
    all: flag('deleted ones too'),
    limit,
  },
  async run(cli, given) {
    const session = await cli.session()
    const instances =
      given.keyManager === undefined ? await keyManagers(session) : [await findKeyManager(session, given.keyManager)]
    const rows: Key[] = []
    for (const { guid } of instances) {
      const { resources } = await allOffsets(
        keyPageSize,
        (page) =>
          session.call('kms', 'listKeys', {
            headers: inInstance(guid),
            query: { ...page, ...(given.all && { state: everyState }) },
          }),
        (given.limit ?? Number.POSITIVE_INFINITY) - rows.length,
      )
      rows.push(...resources)
      if (given.limit !== undefined && rows.length >= given.limit) break
    }
    return listed({
      body: envelope('key', rows),
      rows,
      id: ({ id }) => id,
      none: 'There is no key yet. Make one: keyward keys create NAME',
      columns: [
        { title: 'NAME', cell: (key) => key.name ?? '', shrinks: true },
        { title: 'ID', cell: ({ id }) => id },
        { title: 'STATE', cell: stateName, tint: (key) => keyTones[keyStateOf(key.state)] },
        { title: 'KIND', cell: (key) => (isRoot(key) ? 'root' : 'standard') },
      ],
    })
  },
})

const show = command({
  name: 'keys show',
  summary: 'Show what is known of a key, and nothing of its material',
  args: [{ name: 'key', help: 'name, alias, id or CRN', kind: 'key' }],
  options: { keyManager: keyManagerOption },
  async run(cli, given) {
    const session = await cli.session()
    const found = await findKey(session, given.key, given.keyManager)
    const body = await session.call('kms', 'getKeyMetadata', at(found))
    const key = body.resources[0] ?? found.key
    return {
      body,
      ids: [key.id],
      text: (paper) =>
        details(paper, [
          ['name', key.name],
          ['id', key.id],
          ['CRN', key.crn],
          ['state', stateName(key), keyTones[keyStateOf(key.state)]],
          ['kind', isRoot(key) ? 'root' : 'standard'],
          ['key manager', found.instanceId],
          ['ring', key.keyRingID],
          ['aliases', key.aliases?.join(', ')],
          ['version', key.keyVersion?.id],
          ['created', key.creationDate],
          ['rotated', key.lastRotateDate],
          ['expires', key.expirationDate],
          ['deleted', key.deletionDate],
          ['until when it can be restored', key.restoreExpirationDate],
        ]),
    }
  },
})

const making = {
  keyManager: keyManagerOption,
  standard: flag('a secret that can be read back, instead of a root key'),
  ring: text('RING', 'the key ring that it lies in'),
  alias: text('ALIAS', 'another name, unique in its key manager'),
  description: text('TEXT', 'what it is for'),
  expires: timeOption('when it stops wrapping anything new'),
} as const

interface Making {
  readonly name: string
  readonly keyManager: string | undefined
  readonly standard: boolean
  readonly ring: string | undefined
  readonly alias: string | undefined
  readonly description: string | undefined
  readonly expires: string | undefined
}

async function make(cli: Cli, given: Making, payload: string | null) {
  const session = await cli.session()
  const { guid } = await findKeyManager(session, given.keyManager)
  const expires = given.expires === undefined ? null : timeOf(given.expires, cli.clock.now())
  const body = await session.call('kms', 'createKey', {
    headers: { ...inInstance(guid), ...(given.ring && { 'x-kms-key-ring': given.ring }) },
    body: envelope('key', [
      {
        type: 'application/vnd.ibm.kms.key+json',
        name: given.name,
        extractable: given.standard,
        ...(payload !== null && { payload }),
        ...(given.alias && { aliases: [given.alias] }),
        ...(given.description && { description: given.description }),
        ...(expires && { expirationDate: expires }),
      },
    ]),
  })
  const key = body.resources[0]
  if (!key) throw new Failure('failed', 'the server answers without the key that it has made')
  const verb = payload === null ? 'Made' : 'Imported'
  const next = given.standard ? '' : `\nLet another account use it: keyward authorizations allow ACCOUNT ${given.name}`
  return done(`${verb} key ${given.name}, ${key.id}.\n${key.crn ?? ''}${next}`, body, key.id)
}

const create = command({
  name: 'keys create',
  summary: 'Make a root key, generated by the server',
  args: [{ name: 'name', help: 'what to call it' }],
  options: making,
  examples: [
    ['keys create payroll', 'A root key for volumes'],
    ['keys create payroll --expires 365d', 'One that wraps nothing new after a year'],
  ],
  run: (cli, given) => make(cli, given, null),
})

const bring = command({
  name: 'keys import',
  summary: 'Import key material of your own',
  description:
    '16, 24 or 32 bytes, from a file or standard input, as base64 or as they are (--raw). Never as an argument.',
  args: [{ name: 'name', help: 'what to call it' }],
  options: {
    ...making,
    from: text('FILE', 'where the material is; - for standard input', { kind: 'file', required: true }),
    raw: flag('the file holds the bytes themselves, not base64'),
  },
  examples: [
    ['keys import payroll --from material.b64', 'From a file with base64'],
    ['keys import payroll --from - --raw < /dev/shm/key', 'The bytes themselves, on standard input'],
  ],
  async run(cli, given) {
    return await make(cli, given, await materialOf(cli, given.from, given.raw))
  },
})

async function materialOf(cli: Cli, from: string, raw: boolean): Promise<string> {
  if (from === '-' && raw) return (await cli.asker.inputBytes()).toString('base64')
  if (from === '-') return (await cli.asker.input()).trim()
  try {
    return raw ? readFileSync(from).toString('base64') : readFileSync(from, 'utf8').trim()
  } catch (cause) {
    throw new Failure('failed', `${from} cannot be read`, { cause })
  }
}

export const keyCommands = [list, show, create, bring, ...keyActionCommands]
