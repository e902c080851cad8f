// Times as people say them: `2026-12-01T00:00:00Z`, or a span from now (`7d`, `12h`, `30m`, `45s`), before it with a minus.

import { rfc3339Seconds } from '#base/clock.ts'
import { text } from './command.ts'
import { Failure } from './failure.ts'

const unitsMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

export const timeOption = (help: string) => text('TIME', `${help}: 2026-12-01T00:00:00Z, or 7d, 12h, 30m from now`)

export function timeOf(said: string, nowMs: number): string {
  const [, sign, count, unit] = /^(-?)(\d{1,6})([smhd])$/.exec(said) ?? []
  if (count !== undefined) {
    const spanMs = Number(count) * unitsMs[unit as keyof typeof unitsMs]
    return rfc3339Seconds(sign === '-' ? nowMs - spanMs : nowMs + spanMs)
  }
  // A date alone would be midnight somewhere: with its zone there is no question.
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/.test(said) ? Date.parse(said) : Number.NaN
  if (!Number.isNaN(ms)) return rfc3339Seconds(ms)
  throw new Failure('usage', `${JSON.stringify(said)} is no time`, {
    next: 'write 2026-12-01T00:00:00Z, or a span such as 7d, 12h or 30m',
  })
}
