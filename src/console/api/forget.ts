// What was read for somebody goes with that somebody: whoever signs in to the same account next may see less of it.

import type { QueryClient } from '@tanstack/react-query'
import { getSessions, onSessions } from './sessions.ts'

export function forgetWithSession(client: QueryClient): void {
  let known = getSessions().all
  onSessions(() => {
    const { all } = getSessions()
    for (const { accountId, refreshToken } of known) {
      if (all.some((one) => one.refreshToken === refreshToken)) continue
      client.removeQueries({ queryKey: [accountId] })
    }
    known = all
  })
}
