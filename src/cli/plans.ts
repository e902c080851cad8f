// Actions on keys that are announced to everybody whom they concern, answered, and then done or not.

import type { Answer } from '#client/operations.ts'
import { command, flag, keyManagerOption, limit, text, yes } from './command.ts'
import { at, findKey } from './find-key.ts'
import { allPages } from './pages.ts'
import { details, done, listed, table } from './shown.ts'
import type { Shown } from './shown.ts'
import { timeOf, timeOption } from './times.ts'

type Plan = Answer<'transparency', 'getPlan'>

const keyArgument = { name: 'key', help: 'name, alias, id or CRN', kind: 'key' } as const
const planArgument = { name: 'plan', help: 'its id' } as const

const answered = ({ accounts }: Plan): string =>
  `${accounts.filter(({ answer }) => answer !== null).length} of ${accounts.length}`

const list = command({
  name: 'plans list',
  summary: 'List what was announced for a key, the newest first',
  args: [keyArgument],
  options: { keyManager: keyManagerOption, limit },
  async run(cli, given) {
    const session = await cli.session()
    const key = await findKey(session, given.key, given.keyManager)
    const body = await allPages(
      (start?: string) =>
        session.call('transparency', 'listPlans', {
          ...at(key),
          query: { limit: 100, ...(start !== undefined && { start }) },
        }),
      'plans',
      given.limit,
    )
    return listed({
      body,
      rows: body.plans,
      id: ({ id }) => id,
      none: `Nothing was announced for ${key.name}. Announce: keyward plans announce delete ${key.name} --at 7d --reason TEXT`,
      columns: [
        { title: 'ID', cell: ({ id }) => id },
        { title: 'ACTION', cell: ({ action }) => action },
        { title: 'AT', cell: (plan) => plan.planned_at.slice(0, 16) },
        { title: 'STATE', cell: ({ state }) => state },
        { title: 'ANSWERED', cell: answered },
      ],
    })
  },
})

const shownPlan = (plan: Plan): Shown => ({
  body: plan,
  ids: [plan.id],
  text: (paper) =>
    [
      details(paper, [
        ['plan', plan.id],
        ['action', plan.action],
        ['key', plan.key_crn],
        ['at', plan.planned_at],
        ['why', plan.reason],
        ['state', plan.state],
        ['in the way', plan.stands_against.join('\n') || 'nothing'],
      ]),
      ...(plan.accounts.length === 0
        ? []
        : [
            '',
            table(paper, plan.accounts, [
              { title: 'ACCOUNT', cell: (one) => one.account_id },
              { title: 'RESOURCES', cell: ({ resources }) => String(resources), right: true },
              {
                title: 'ANSWER',
                cell: ({ answer }) => answer ?? 'none yet',
                tint: ({ answer }) => (answer === 'objected' ? 'bad' : answer === null ? 'busy' : 'good'),
              },
              { title: 'WHY', cell: ({ reason }) => reason ?? '', shrinks: true },
            ]),
          ]),
    ].join('\n'),
})

const show = command({
  name: 'plans show',
  summary: 'Show a plan, who has answered it and how, and what stands against it',
  args: [planArgument],
  async run(cli, given) {
    const session = await cli.session()
    return shownPlan(await session.call('transparency', 'getPlan', { path: { id: given.plan } }))
  },
})

const announce = command({
  name: 'plans announce',
  summary: 'Announce an action on a key to every account whose resources lie under it',
  description: 'Nothing is done by itself at the time: `keyward plans proceed` does it.',
  args: [{ name: 'action', help: 'what', choices: ['disable', 'delete', 'rotate'] }, keyArgument],
  options: {
    keyManager: keyManagerOption,
    at: { ...timeOption('when'), required: true },
    reason: text('TEXT', 'why; the accounts read it', { required: true }),
  },
  examples: [['plans announce delete payroll --at 7d --reason "replaced by payroll-2"', 'In a week']],
  async run(cli, given) {
    const session = await cli.session()
    const key = await findKey(session, given.key, given.keyManager)
    const plan = await session.call('transparency', 'announcePlan', {
      ...at(key),
      body: { action: given.action, planned_at: timeOf(given.at, cli.clock.now()), reason: given.reason },
    })
    const told = plan.accounts.length === 1 ? '1 account is' : `${plan.accounts.length} accounts are`
    return done(`Announced: ${told} told. Answers: keyward plans show ${plan.id}`, plan, plan.id)
  },
})

const withdraw = command({
  name: 'plans withdraw',
  summary: 'Withdraw a plan; who was told of it is told of that',
  args: [planArgument],
  async run(cli, given) {
    const session = await cli.session()
    const plan = await session.call('transparency', 'withdrawPlan', { path: { id: given.plan } })
    return done(`Withdrew ${plan.id}.`, plan, plan.id)
  },
})

const proceed = command({
  name: 'plans proceed',
  summary: 'Do what was planned',
  description:
    'Before its time, or without every answer, it takes --break-glass and a reason, which every account is told.',
  args: [planArgument],
  options: {
    breakGlass: text('REASON', 'although something stands against it'),
    force: flag('of a deletion: although resources lie under the key'),
    yes,
  },
  async run(cli, given) {
    const session = await cli.session()
    const path = { id: given.plan }
    if (!given.yes) {
      const plan = await session.call('transparency', 'getPlan', { path })
      for (const against of plan.stands_against) cli.say(`Stands against it: ${against}`)
      await cli.asker.confirm(`${plan.action} ${plan.key_crn}: answered by ${answered(plan)} accounts. Go on?`)
    }
    const plan = await session.call('transparency', 'proceedWithPlan', {
      path,
      body: { ...(given.breakGlass && { break_glass: given.breakGlass }), ...(given.force && { force: true }) },
    })
    return done(`Done: ${plan.action} ${plan.key_crn}.`, plan, plan.id)
  },
})

export const planCommands = [list, show, announce, withdraw, proceed]
