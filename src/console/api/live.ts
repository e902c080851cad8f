// Notices as the server sends them: server-sent events, read by hand because a browser's own reader sends no Authorization
// header. Whatever comes makes everything of the account be read again. Without it the pages still poll.

import { useQueryClient } from '@tanstack/react-query'
import { useEffect } from 'react'
import { streamedEvents } from '#client/events.ts'
import type { StreamedEvent } from '#client/events.ts'
import { tokenOf } from './sessions.ts'
import type { Session } from './sessions.ts'
import { useSession } from './use-api.ts'

const path = '/keyward/v1/notices/stream'
/** What the server asks for too; a server that is away is not hammered. */
const reconnectMs = 2000
const reconnectMsMax = 60_000

export function useLive(): void {
  const session = useSession()
  const client = useQueryClient()
  useEffect(() => {
    const ending = new AbortController()
    const changed = (): void => void client.invalidateQueries({ queryKey: [session.accountId] })
    void follow(session, changed, ending.signal)
    return () => ending.abort()
  }, [session, client])
}

/** Until the signal; a stream that ends is begun again after the last event. */
async function follow(session: Session, onEvent: () => void, signal: AbortSignal): Promise<void> {
  let lastEventId: string | null = null
  let waitMs = reconnectMs
  while (!signal.aborted) {
    try {
      const response: Response = await fetch(path, {
        headers: {
          authorization: `Bearer ${await tokenOf(session)}`,
          accept: 'text/event-stream',
          ...(lastEventId !== null && { 'last-event-id': lastEventId }),
        },
        credentials: 'omit',
        signal,
      })
      // Somebody who may not read notices has none to wait for.
      if (response.status === 401 || response.status === 403) return
      if (response.ok && response.body) {
        waitMs = reconnectMs
        const events: AsyncIterable<StreamedEvent> = streamedEvents(response.body)
        for await (const { id } of events) {
          lastEventId = id
          onEvent()
        }
      }
    } catch {
      // The connection broke, or the page was left: the loop sees which.
    }
    await pause(waitMs, signal)
    waitMs = Math.min(waitMs * 2, reconnectMsMax)
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
