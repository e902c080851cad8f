// Time as an argument. `Date.now()` and timers for business rules live here and nowhere else; the tidy test says so.

export interface Clock {
  /** Wall-clock time in milliseconds since 1970-01-01T00:00:00Z: for records that people read. */
  now(): number
  /** Milliseconds that never run backwards: for leases and intervals. */
  monotonicMs(): number
  /** Calls back once after `delayMs`; the returned function cancels. Does not keep the process alive. */
  after(delayMs: number, callback: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, callback) {
    const timer = setTimeout(callback, delayMs)
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** RFC 3339 in UTC with milliseconds, the form of IAM and VPC timestamps. */
export const rfc3339 = (ms: number): string => new Date(ms).toISOString()

/** RFC 3339 in UTC with whole seconds, the form of Key Protect timestamps. */
export const rfc3339Seconds = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`
