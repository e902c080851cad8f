// What the account was told about keys that it depends on, and its answers.

import { streamedEvents } from '#client/events.ts'
import { noticeText, noticeTone } from '#client/notice-words.ts'
import type { Answer } from '#client/operations.ts'
import { Refusal, refusalOf } from '#client/refusal.ts'
import { command, flag, limit, text, whole } from './command.ts'
import type { Cli } from './context.ts'
import { codeOfRefusal } from './failure.ts'
import { allPages } from './pages.ts'
import type { Session } from './session.ts'
import { details, done, listed, tint } from './shown.ts'
import type { Shown } from './shown.ts'

type Notice = Answer<'transparency', 'getNotice'>

const args = [{ name: 'notice', help: 'its id', kind: 'notice' }] as const

const list = command({
  name: 'notices list',
  summary: 'List what this account was told, the newest first',
  options: {
    unread: flag('only those that nobody has read'),
    unacknowledged: flag('only those that nobody has answered'),
    limit,
  },
  async run(cli, given) {
    const session = await cli.session()
    const body = await allPages(
      (start?: string) =>
        session.call('transparency', 'listNotices', {
          query: {
            limit: 100,
            ...(start !== undefined && { start }),
            ...(given.unread && { unread: true }),
            ...(given.unacknowledged && { unacknowledged: true }),
          },
        }),
      'notices',
      given.limit,
    )
    return listed({
      body,
      rows: body.notices,
      id: ({ id }) => id,
      none: 'There is no notice.',
      columns: [
        { title: 'ID', cell: ({ id }) => id },
        { title: 'AT', cell: (notice) => notice.created_at.slice(0, 16) },
        { title: 'WHAT', cell: ({ type }) => type, tint: ({ type }) => noticeTone(type), shrinks: true },
      ],
    })
  },
})

const show = command({
  name: 'notices show',
  summary: 'Show a notice, and mark it as read',
  args,
  async run(cli, given) {
    const session = await cli.session()
    const notice = await session.call('transparency', 'readNotice', { path: { id: given.notice } })
    const { data } = notice.event
    return {
      body: notice,
      ids: [notice.id],
      text: (paper) =>
        details(paper, [
          ['what', noticeText(notice.type, data), noticeTone(notice.type)],
          ['key', data.key_crn],
          ['of account', data.owner_account_id],
          ['concerns', data.resource_crns.join('\n')],
          ['and', data.resources > data.resource_crns.length ? `${data.resources} in all` : null],
          ['plan', data.plan && `${data.plan.id}: ${data.plan.action} at ${data.plan.planned_at}, ${data.plan.reason}`],
          ['told', notice.created_at],
          ['answered', notice.acknowledged_at && `${notice.acknowledged_at} by ${notice.acknowledged_by ?? ''}`],
        ]),
    }
  },
})

const acknowledge = command({
  name: 'notices acknowledge',
  summary: 'Say that a notice was understood, or agree to a planned action',
  args,
  async run(cli, given) {
    const session = await cli.session()
    const body = await session.call('transparency', 'acknowledgeNotice', { path: { id: given.notice } })
    return done(`Acknowledged ${body.id}.`, body, body.id)
  },
})

const object = command({
  name: 'notices object',
  summary: "Object to a planned action; the key's owner reads why",
  args,
  options: { reason: text('TEXT', 'why', { required: true }) },
  async run(cli, given) {
    const session = await cli.session()
    const body = await session.call('transparency', 'acknowledgeNotice', {
      path: { id: given.notice },
      body: { answer: 'objected', reason: given.reason },
    })
    return done(`Objected to ${body.id}: the owner of the key sees it.`, body, body.id)
  },
})

const reconnectMs = 2000

const follow = command({
  name: 'notices follow',
  summary: 'Print notices as they come, until ^C',
  description: 'With --json one CloudEvent a line. What comes while the connection is away is printed afterwards.',
  options: {
    since: text('ID', 'also those after this notice', { kind: 'notice' }),
    count: whole('N', 'end after so many', { min: 1, max: 1_000_000 }),
  },
  async run(cli, given) {
    const session = await cli.session()
    // From here on nothing is missed. A server that is not there now is said at once; later it is waited for.
    const { notices: newest } = await session.call('transparency', 'listNotices', { query: { limit: 1 } })
    let left = given.count ?? Number.POSITIVE_INFINITY
    let last = given.since ?? newest[0]?.id ?? null
    while (left > 0 && !cli.ending.aborted) {
      for await (const { id, data } of nextNotices(cli, session, last)) {
        last = id
        cli.show(shown(id, data))
        left -= 1
        if (left === 0) return undefined
      }
      // A stream ends with its token, or with the server; the next one begins after the last event.
      await cli.pause(reconnectMs)
    }
    return undefined
  },
})

/** One stream, from where the last one ended. That it breaks, or that the server is away for a while, ends nothing. */
async function* nextNotices(cli: Cli, session: Session, after: string | null) {
  const headers = { accept: 'text/event-stream', ...(after !== null && { 'last-event-id': after }) }
  try {
    const response = await session.stream('/keyward/v1/notices/stream', headers, cli.ending)
    if (!response.ok) throw refusalOf(response.status, await response.json().catch(() => null), null)
    if (response.body) yield* streamedEvents(response.body)
  } catch (error) {
    if (cli.ending.aborted) return
    if (error instanceof Refusal && !mayComeBack(error)) throw error
    cli.say(`The stream broke, and is begun again: ${error instanceof Error ? error.message : String(error)}`)
  }
}

const mayComeBack = (refusal: Refusal): boolean => codeOfRefusal(refusal) === 'away'

function shown(id: string, data: string): Shown {
  // The server's own CloudEvent, as its contract has it.
  const event: Notice['event'] = JSON.parse(data)
  const type = event.type.replace(/^keyward\./, '') as Notice['type']
  return {
    body: event,
    oneLine: true,
    ids: [id],
    text: (paper) =>
      `${event.time}  ${tint(paper, noticeTone(type), noticeText(type, event.data))}\n  ${event.data.key_crn}`,
  }
}

export const noticeCommands = [list, show, acknowledge, object, follow]
