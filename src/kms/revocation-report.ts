// Revocations of the keys of one account, shown to whoever the account lets see them: the last of them, the quantiles of
// each cause, and the histogram as Prometheus takes it.

import type { Static } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import { revocationsDefault } from '#base/limits-revocations.ts'
import { leaseMs } from '#base/limits.ts'
import type { Context, IamPort } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import type { revocationContract } from './contract-revocations.ts'
import { bucketSeconds } from './revocation-state.ts'
import type { RevocationCause } from './revocation-state.ts'
import type { Revocations } from './revocations.ts'
import { countDurations, countUnderWay, selectNthDuration, selectRevocations } from './tables-revocation.ts'
import type { RevocationRow, Unacknowledged } from './tables-revocation.ts'

type Query = Static<(typeof revocationContract)['listRevocations']['query']>
type Answer = Static<(typeof revocationContract)['listRevocations']['reply']>

export type RevocationReport = ReturnType<typeof makeRevocationReport>

export function makeRevocationReport(parts: {
  readonly reads: Reads
  readonly iam: IamPort
  readonly revocations: Revocations
}) {
  const { reads, iam, revocations } = parts

  async function list({ caller, baseUrl }: Context, query: Query): Promise<Answer> {
    const { account_id: accountId = caller.accountId, limit = revocationsDefault, start } = query
    await iam.authorize(caller, 'keyward.revocations.read', { accountId, serviceName: 'keyward' })
    const [, committedAt, id] = start === undefined ? [] : (/^(\d+)-(.*)$/.exec(start) ?? [])
    const after = committedAt === undefined || id === undefined ? null : { committedAt: Number(committedAt), id }
    const rows = await selectRevocations(reads, accountId, { after, limit: limit + 1 })
    const page = rows.slice(0, limit)
    const durations = await countDurations(reads, accountId, [])
    const last = rows.length > limit ? page.at(-1) : undefined
    return {
      limit,
      ...(last && { next: nextPage(baseUrl, query, last) }),
      revocations: page.map(view),
      service_level: await Promise.all(durations.map(({ cause, count }) => level(accountId, cause, count))),
    }
  }

  function view(row: RevocationRow): Answer['revocations'][number] {
    const progress = row.state === 'under-way' ? revocations.progress(row.id) : null
    const { volumeCount, unacknowledged } = progress ?? row
    const ends = unacknowledged.map(({ leasesEndAt }) => leasesEndAt)
    // Of a process before this one nothing is known but this bound.
    const bound = progress && ends.length > 0 ? Math.max(...ends) : row.committedAt + leaseMs
    return {
      id: row.id,
      cause: row.cause,
      key_crn: row.keyCrn,
      committed_at: rfc3339(row.committedAt),
      state: row.state,
      volumes: volumeCount,
      duration_seconds: row.durationMs === null ? null : row.durationMs / 1000,
      ends_by: row.state === 'under-way' ? rfc3339(bound) : null,
      unacknowledged: unacknowledged.map(holderView),
    }
  }

  async function level(
    accountId: string,
    cause: RevocationCause,
    count: number,
  ): Promise<Answer['service_level'][number]> {
    // The nearest rank: a duration that was measured, not one between two.
    const at = async (quantile: number): Promise<number | null> => {
      const found = count === 0 ? null : await selectNthDuration(reads, accountId, cause, Math.ceil(quantile * count))
      return found === null ? null : found / 1000
    }
    const [p50, p95, p99, max] = await Promise.all([0.5, 0.95, 0.99, 1].map(at))
    const quantiles = { p50_seconds: p50 ?? null, p95_seconds: p95 ?? null, p99_seconds: p99 ?? null }
    return { cause, count, ...quantiles, max_seconds: max ?? null }
  }

  /** Prometheus, "Metric and label naming" and "Exposition formats": base units, cumulative buckets. Leave was given. */
  async function metricsText(accountId: string): Promise<string> {
    const durations = await countDurations(
      reads,
      accountId,
      bucketSeconds.map((bound) => bound * 1000),
    )
    const lines = durations.flatMap(({ cause, count, sumMs, within }) => {
      const labels = `ibm_scope="a/${accountId}",cause="${cause}"`
      const buckets = bucketSeconds.map((bound, at) => `${name}_bucket{${labels},le="${bound}"} ${within[at] ?? 0}`)
      return [
        ...buckets,
        `${name}_bucket{${labels},le="+Inf"} ${count}`,
        `${name}_sum{${labels}} ${sumMs / 1000}`,
        `${name}_count{${labels}} ${count}`,
      ]
    })
    return [
      `# HELP ${name} Seconds from the commit of a revocation until every holder of a data key had stopped.`,
      `# TYPE ${name} histogram`,
      ...lines,
      '# HELP keyward_revocations_under_way Revocations that some holder has not acknowledged yet.',
      '# TYPE keyward_revocations_under_way gauge',
      `keyward_revocations_under_way{ibm_scope="a/${accountId}"} ${await countUnderWay(reads, accountId)}`,
      '',
    ].join('\n')
  }

  return { list, metricsText }
}

const name = 'keyward_revocation_duration_seconds'

const holderView = ({ holderId, leaseCount, leasesEndAt, ended }: Unacknowledged) => ({
  holder_id: holderId,
  leases: leaseCount,
  leases_end_at: rfc3339(leasesEndAt),
  ended,
})

function nextPage(baseUrl: string, query: Query, last: RevocationRow): { start: string; href: string } {
  const start = `${last.committedAt}-${last.id}`
  const parameters = Object.entries({ ...query, start }).map(([key, value]) => [key, String(value)])
  return { start, href: `${baseUrl}/keyward/v1/revocations?${new URLSearchParams(parameters).toString()}` }
}
