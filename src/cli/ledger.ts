// Who uses which key: for its owner, for its users, and whether the books agree. And what an action would mean.

import { parseCrn } from '#base/crn.ts'
import { plural, words } from '#client/words.ts'
import { command, flag, keyManagerOption, limit, text } from './command.ts'
import { findKey } from './find-key.ts'
import { foresee, impactText } from './foresee.ts'
import { at } from './find-key.ts'
import { allPages } from './pages.ts'
import { details, listed, tint } from './shown.ts'
import { timeOf, timeOption } from './times.ts'

const page = (start: string | undefined) => ({ limit: 200, ...(start !== undefined && { start }) })
const keyArgument = { name: 'key', help: 'name, alias, id or CRN', kind: 'key' } as const
const yesNo = (value: boolean | null): string => (value === null ? '' : value ? 'yes' : 'no')

const uses = command({
  name: 'ledger uses',
  summary: 'List what lies under a key of this account, in every account, now or at a past time',
  args: [keyArgument],
  options: { keyManager: keyManagerOption, at: timeOption('as it was then; -7d is a week ago'), limit },
  examples: [['ledger uses payroll --at -7d', 'A week ago']],
  async run(cli, given) {
    const session = await cli.session()
    const key = await findKey(session, given.key, given.keyManager)
    const when = given.at === undefined ? undefined : timeOf(given.at, cli.clock.now())
    const body = await allPages(
      (start?: string) =>
        session.call('transparency', 'listKeyUses', {
          ...at(key),
          query: { ...page(start), ...(when && { at: when }) },
        }),
      'uses',
      given.limit,
    )
    return listed({
      body,
      rows: body.uses,
      id: (use) => use.resource_crn,
      none: `Nothing ${when ? `lay under ${key.name} at ${when}` : `lies under ${key.name}`}.`,
      columns: [
        { title: 'KIND', cell: ({ kind }) => kind },
        { title: 'ID', cell: (use) => parseCrn(use.resource_crn)?.resource ?? use.resource_crn, shrinks: true },
        {
          title: 'ACCOUNT',
          cell: (use) => (use.account_id === session.accountId ? 'own' : use.account_id),
          shrinks: true,
        },
        { title: 'GB', cell: ({ size_gb: gb }) => String(gb ?? ''), right: true },
        { title: 'STATUS', cell: ({ status }) => words(status ?? '') },
        { title: 'OPEN', cell: ({ open }) => yesNo(open) },
      ],
    })
  },
})

const foreign = command({
  name: 'ledger foreign',
  summary: "List the keys of other accounts that this account's resources depend on",
  options: { limit },
  async run(cli, given) {
    const session = await cli.session()
    const body = await allPages(
      (start?: string) => session.call('transparency', 'listForeignKeys', { query: page(start) }),
      'foreign_keys',
      given.limit,
    )
    return listed({
      body,
      rows: body.foreign_keys,
      id: (key) => key.key_crn,
      none: 'No resource of this account depends on a key of another.',
      columns: [
        { title: 'KEY', cell: (key) => parseCrn(key.key_crn)?.resource ?? key.key_crn, shrinks: true },
        { title: 'OF ACCOUNT', cell: (key) => key.owner_account_id, shrinks: true },
        {
          title: 'STATE',
          cell: ({ state }) => state,
          tint: ({ state }) => (state === 'usable' ? 'good' : state === 'expired' ? 'busy' : 'bad'),
        },
        { title: 'RESOURCES', cell: ({ resources }) => String(resources), right: true },
        { title: 'EXPIRES', cell: (key) => key.expires_at ?? '' },
      ],
    })
  },
})

const proof = command({
  name: 'ledger proof',
  summary: 'Whether ledger, registrations, resources and images are one; exit code 1 where they differ',
  options: { now: flag('compare them now, instead of saying how they last compared') },
  async run(cli, given) {
    const session = await cli.session()
    const body = await session.call('transparency', given.now ? 'createProof' : 'getLatestProof', {})
    return {
      body,
      exitCode: body.equal ? 0 : 1,
      text: (paper) =>
        [
          details(paper, [
            ['equal', yesNo(body.equal), body.equal ? 'good' : 'bad'],
            ['compared', body.finished_at ?? 'not yet'],
            ['under own keys', plural(body.counts.owned_uses, 'use')],
            ['own resources', String(body.counts.resources)],
          ]),
          ...body.differences.map(({ what, resource_crn: crn }) => tint(paper, 'bad', `${what}: ${crn}`)),
        ].join('\n'),
    }
  },
})

const impact = command({
  name: 'impact',
  summary: 'Foresee what an action on a key would do to the resources of every account, and what refuses it',
  args: [
    { name: 'action', help: 'what', choices: ['disable', 'delete', 'expire', 'rotate', 'remove-authorization'] },
    keyArgument,
  ],
  options: {
    keyManager: keyManagerOption,
    authorization: text('ID', 'of remove-authorization: which', { kind: 'policy' }),
    limit,
  },
  examples: [['impact disable payroll', 'What would stop, and whose it is']],
  async run(cli, given) {
    const session = await cli.session()
    const key = await findKey(session, given.key, given.keyManager)
    const { action, authorization: policyId } = given
    const body = await foresee(session, key, { action, policyId, limit: given.limit })
    return {
      body,
      ids: body.resources.map((one) => one.resource_crn),
      text: (paper) => impactText(paper, body, session.accountId),
    }
  },
})

export const ledgerCommands = [uses, foreign, proof, impact]
