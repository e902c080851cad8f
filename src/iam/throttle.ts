// Who guesses is told to wait. Failed logins are counted per source address and per beginning of the key that was tried,
// within a window, in bounded memory: whoever was seen longest ago is forgotten first.

import { isIP } from 'node:net'
import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import {
  loginFailuresPerKeyMax,
  loginFailuresPerSourceMax,
  loginFailuresRemembered,
  loginFailureWindowMs,
} from '#base/limits.ts'
import { makeRecent } from './recent.ts'

export interface Throttle {
  /** Fault 'over_limit' for a source that has failed too often. Before anything is looked up, so that it learns nothing. */
  check(remoteAddress: string | undefined): void
  /**
   * Counts a login that failed, and says so: 'over_limit' when keys that begin like this one fail too often. A key that
   * exists is never refused for the failures of its likes.
   */
  failed(login: { readonly apiKey: string; readonly remoteAddress: string | undefined }, fault: Fault): Fault
}

interface Count {
  readonly since: number
  readonly failures: number
}

/** Enough of a key to know it again, too little to be one. */
const prefixLength = 8

export function makeThrottle(clock: Clock): Throttle {
  const bySource = makeRecent<Count>(loginFailuresRemembered)
  const byPrefix = makeRecent<Count>(loginFailuresRemembered)

  function recent(counts: typeof bySource, key: string): Count | null {
    const count = counts.get(key)
    return count && clock.monotonicMs() < count.since + loginFailureWindowMs ? count : null
  }

  function add(counts: typeof bySource, key: string): Count {
    const before = recent(counts, key) ?? { since: clock.monotonicMs(), failures: 0 }
    const count = { since: before.since, failures: before.failures + 1 }
    counts.set(key, count)
    return count
  }

  function tooMany({ since }: Count): Fault {
    const retryAfterSeconds = Math.max(1, Math.ceil((since + loginFailureWindowMs - clock.monotonicMs()) / 1000))
    return new Fault('over_limit', `too many logins failed: try again in ${retryAfterSeconds} seconds`, {
      retryAfterSeconds,
    })
  }

  return {
    check(remoteAddress) {
      if (remoteAddress === undefined) return
      const count = recent(bySource, sourceOf(remoteAddress))
      if (count && count.failures >= loginFailuresPerSourceMax) throw tooMany(count)
    },
    failed({ apiKey, remoteAddress }, fault) {
      if (remoteAddress !== undefined) add(bySource, sourceOf(remoteAddress))
      const count = add(byPrefix, apiKey.slice(0, prefixLength))
      return count.failures > loginFailuresPerKeyMax ? tooMany(count) : fault
    },
  }
}

/** One household has a whole IPv6 network of 64 bits (RFC 6177): its addresses count as one. */
export function sourceOf(address: string): string {
  if (isIP(address) !== 6 || address.includes('.')) return address
  const [head = '', tail = ''] = address.split('%', 1)[0]?.split('::') ?? []
  const before = head === '' ? [] : head.split(':')
  const after = tail === '' ? [] : tail.split(':')
  const missing = Math.max(0, 8 - before.length - after.length)
  return [...before, ...Array<string>(missing).fill('0'), ...after].slice(0, 4).join(':')
}
