// What an action on a key would do, before it is done: asked of the server, told, and put to whoever is about to do it.

import { stops, totalOf } from '#client/impact.ts'
import type { Group, Impact } from '#client/impact.ts'
import { plural, words } from '#client/words.ts'
import type { Cli } from './context.ts'
import { Failure } from './failure.ts'
import { at } from './find-key.ts'
import type { FoundKey } from './find-key.ts'
import { allPages } from './pages.ts'
import type { Session } from './session.ts'
import { table, tint } from './shown.ts'
import type { Paper } from './shown.ts'

export async function foresee(
  session: Session,
  key: FoundKey,
  given: {
    readonly action: Impact['action']
    readonly policyId?: string | undefined
    readonly limit?: number | undefined
  },
): Promise<Impact> {
  const { action, policyId, limit } = given
  return await allPages(
    (start?: string) =>
      session.call('transparency', 'foreseeImpact', {
        ...at(key),
        query: { limit: Math.min(limit ?? 200, 200), ...(start !== undefined && { start }) },
        body: { action, ...(policyId && { policy_id: policyId }) },
      }),
    'resources',
    limit,
  )
}

const whose = (group: Group, accountId: string): string =>
  group.account_id === accountId ? 'this account' : `account ${group.account_id}`

/** In a few lines: what stops, whose it is, and what would refuse it. */
export function impactSummary(impact: Impact, accountId: string): readonly string[] {
  const groups = impact.accounts.filter(stops)
  const [count, open] = [totalOf(groups, 'resources'), totalOf(groups, 'open')]
  const running = open === 0 ? 'None is open now.' : `${open} of them open now: running I/O is cut.`
  return [
    count === 0 ? 'Nothing stops.' : `${plural(count, 'resource')} ${count === 1 ? 'stops' : 'stop'}. ${running}`,
    ...groups.map(
      (group) =>
        `  ${plural(group.resources, 'resource')} of ${group.service} in ${whose(group, accountId)}: key then ${words(group.key_after)}`,
    ),
    ...impact.refusals.map(
      ({ code, message, forceable }) => `${forceable ? 'Refused unless forced' : 'Refused'}: ${message} (${code})`,
    ),
  ]
}

export function impactText(paper: Paper, impact: Impact, accountId: string): string {
  const [headline = '', ...more] = impactSummary(impact, accountId)
  const resources =
    impact.resources.length === 0
      ? []
      : [
          '',
          table(paper, impact.resources, [
            { title: 'KIND', cell: ({ kind }) => kind },
            { title: 'RESOURCE', cell: (one) => one.resource_crn.split(':').at(-1) ?? '' },
            { title: 'GB', cell: ({ size_gb: gb }) => (gb === null ? '' : String(gb)), right: true },
            { title: 'OPEN', cell: ({ open }) => (open ? 'yes' : 'no') },
            { title: 'THEN', cell: (one) => words(one.status_after ?? ''), shrinks: true },
          ]),
        ]
  return [tint(paper, 'bold', headline), ...more, ...resources].join('\n')
}

/**
 * Tells what it would mean and asks; with --yes it is done unasked. Whoever may act on a key and not see who uses it is told
 * that nothing is known.
 */
export async function askFirst(
  cli: Cli,
  given: {
    readonly yes: boolean
    readonly question: string
    /** What has to be typed, for what cannot be taken back. */
    readonly name?: string
    readonly impact: () => Promise<readonly Impact[]>
  },
): Promise<void> {
  if (given.yes) return
  if (!cli.asker.canAsk) {
    throw new Failure('usage', `${given.question} Nobody is at a terminal to answer`, {
      next: 'say --yes to do it unasked; `keyward impact` says what it would mean',
    })
  }
  const { accountId } = await cli.session()
  for (const impact of await given.impact()) for (const line of impactSummary(impact, accountId)) cli.say(line)
  if (given.name === undefined) await cli.asker.confirm(given.question)
  else await cli.asker.confirmByName(given.question, given.name)
}
