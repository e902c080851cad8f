// Notices as they come, for a client that stays connected: server-sent events. A client that comes back says which one it
// had last. Nothing waits in memory for a slow client: it is read from the inbox when the client takes it. Before every
// piece the token is asked about again, so that a stream ends with it.
// Source: WHATWG HTML, "Server-sent events".

import { Readable } from 'node:stream'
import type { Clock } from '#base/clock.ts'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import { Fault } from '#base/fault.ts'
import { streamHeartbeatMs, streamPage, streamsMax, streamsPerAccountMax } from '#base/limits-ledger.ts'
import type { Context } from '#iam/port.ts'
import { authorizeOwn } from './access.ts'
import type { OfAccount } from './access.ts'
import { cloudEvent } from './notice.ts'
import type { Notice } from './notice.ts'
import type { LedgerParts } from './parts.ts'
import type { Post } from './post.ts'
import { selectNewestPlace, selectNoticesAfter, selectPlace } from './tables-notice.ts'

type Headers = Readonly<Record<string, string | undefined>>

export type NoticeStreams = ReturnType<typeof makeNoticeStreams>

export function makeNoticeStreams(parts: LedgerParts & { readonly post: Post }) {
  const { database, realClock, iam, post, log } = parts
  const open = new Map<string, Set<AbortController>>()

  async function start(
    context: Context,
    { query, headers }: { readonly query: OfAccount; readonly headers: Headers },
  ): Promise<Reply<Readable>> {
    const { target } = await authorizeOwn(iam, context, 'keyward.notices.read', query)
    const { accountId } = target
    const place = await placeAfter(accountId, headers['last-event-id'])
    const ending = admit(accountId)
    const mayGoOn = () => stillMay(context, headers, accountId)
    const stream = Readable.from(pieces(accountId, place, mayGoOn, ending.signal), { objectMode: false })
    stream.once('close', () => {
      ending.abort()
      leave(accountId, ending)
    })
    stream.once('error', (error) => log.error({ err: error }, 'a stream of notices broke off'))
    return reply(stream, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
  }

  async function placeAfter(accountId: string, lastEventId: string | undefined): Promise<number> {
    if (lastEventId === undefined || lastEventId === '') return await selectNewestPlace(database.reads, accountId)
    const place = await selectPlace(database.reads, accountId, lastEventId)
    if (place !== null) return place
    throw new Fault('invalid', 'Last-Event-ID names no notice of this account', {
      target: { type: 'header', name: 'Last-Event-ID' },
    })
  }

  /** As strict as a new request: the token may have ended, its bearer may have gone, the policy may have been removed. */
  async function stillMay(context: Context, headers: Headers, accountId: string): Promise<boolean> {
    try {
      const token = (headers['authorization'] ?? '').replace(/^bearer\s+/i, '').trim()
      const caller = await iam.authenticate(token, context.remoteAddress)
      return (await iam.decide(caller, 'keyward.notices.read', { accountId, serviceName: 'keyward' })).permitted
    } catch (error) {
      if (error instanceof Fault) return false
      throw error
    }
  }

  async function* pieces(
    accountId: string,
    from: number,
    mayGoOn: () => Promise<boolean>,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    let place = from
    yield `retry: ${reconnectMs}\n\n`
    while (!signal.aborted) {
      // Listened for before it is looked: what comes in between is not missed.
      const bell = listen(post, realClock, signal)
      try {
        const notices = await selectNoticesAfter(database.reads, accountId, place, streamPage)
        if (!(await mayGoOn())) return
        for (const notice of notices) {
          place = notice.seq
          yield message(notice)
        }
        if (notices.length > 0) continue
        yield ': still here\n\n'
        await bell.rung
      } finally {
        bell.cancel()
      }
    }
  }

  function admit(accountId: string): AbortController {
    const own = open.get(accountId) ?? new Set()
    const all = open.values().reduce((count, streams) => count + streams.size, 0)
    if (own.size >= streamsPerAccountMax || all >= streamsMax) {
      const whose = own.size >= streamsPerAccountMax ? 'the account has' : 'there are'
      throw new Fault('over_limit', `${whose} as many open streams as may be`, { retryAfterSeconds: 5 })
    }
    const ending = new AbortController()
    open.set(accountId, own.add(ending))
    return ending
  }

  function leave(accountId: string, ending: AbortController): void {
    const own = open.get(accountId)
    own?.delete(ending)
    if (own?.size === 0) open.delete(accountId)
  }

  return {
    start,
    close() {
      for (const ending of [...open.values()].flatMap((streams) => [...streams])) ending.abort()
    },
  }
}

const reconnectMs = 2000

const message = (notice: Notice): string =>
  `id: ${notice.id}\nevent: keyward.${notice.type}\ndata: ${JSON.stringify(cloudEvent(notice))}\n\n`

/** Rings when something is sent, when it is time for a sign of life, and when the stream ends. */
function listen(post: Post, clock: Clock, signal: AbortSignal): { readonly rung: Promise<void>; cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const stopListening = post.onSent(resolve)
  const stopTimer = clock.after(streamHeartbeatMs, resolve)
  const end = () => resolve()
  signal.addEventListener('abort', end)
  return {
    rung: promise,
    cancel() {
      signal.removeEventListener('abort', end)
      stopListening()
      stopTimer()
      resolve()
    },
  }
}
