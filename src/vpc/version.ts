// The two query parameters that every VPC operation demands. Source: VPC API, "Versioning": a date not in the future
// and not before 2019-01-01, in UTC, and the generation, which can only be 2.

import { Fault } from '#base/fault.ts'

const versionMin = '2019-01-01'

/** Throws a Fault with the documented code when the query does not ask for a version of the API that there can be. */
export function checkVersion(query: Readonly<Record<string, unknown>>, nowMs: number): void {
  const { version, generation } = query
  if (version === undefined) throw refused('missing_version', 'version', 'is required')
  if (typeof version !== 'string' || !isDate(version)) {
    throw refused('invalid_version', 'version', 'must be one date, as YYYY-MM-DD')
  }
  const today = new Date(nowMs).toISOString().slice(0, 10)
  if (version < versionMin || version > today) {
    throw refused('invalid_version_range', 'version', `must be ${versionMin} to ${today}`)
  }
  if (generation === undefined) throw refused('missing_generation_parameter', 'generation', 'is required')
  if (generation !== '2') throw refused('invalid_generation_parameter', 'generation', 'must be 2')
}

/** 2023-02-30 has the shape of a date and is none. */
function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const date = new Date(`${text}T00:00:00Z`)
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text)
}

const refused = (reason: string, name: string, rule: string): Fault =>
  new Fault('invalid', `query parameter ${name} ${rule}`, { reason, target: { type: 'parameter', name } })
