// Operational metrics of instances whose policy `metrics` is in force: how many requests of each kind were made, how they
// were answered and how long that took, with the names that Key Protect gives to IBM Cloud Monitoring. They live in memory
// and begin anew with the process, as counters of Prometheus may.
// Source: Key Protect, "Monitoring operational metrics": names, labels, and averages over 60 seconds.

import type { Clock } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import type { Log } from '#base/log.ts'
import type { Audit, Draft, Watched } from '#events/audit.ts'
import type { Context, IamPort } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import type { InstanceSettings } from './access.ts'
import { isMetered } from './policy.ts'
import { selectInstanceSettings } from './tables-service.ts'

const minuteMs = 60_000

interface Sum {
  readonly count: number
  readonly ms: number
}

const nothing: Sum = { count: 0, ms: 0 }
const plus = ({ count, ms }: Sum, one: number): Sum => ({ count: count + 1, ms: ms + one })

/** Requests of one kind to one instance that were answered alike. */
interface Series {
  readonly instance: InstanceSettings
  readonly api: string
  readonly status: number
  /** Since the process began. */
  all: Sum
  minute: number
  current: Sum
  /** The minute before the current one. */
  last: Sum
}

export type Metrics = ReturnType<typeof makeMetrics>

export function makeMetrics(parts: {
  readonly reads: Reads
  readonly clock: Clock
  readonly iam: IamPort
  readonly log: Log
}) {
  const { reads, clock, iam, log } = parts
  const series = new Map<string, Series>()
  const minuteNow = (): number => Math.floor(clock.monotonicMs() / minuteMs)

  function roll(one: Series): Series {
    const minute = minuteNow()
    if (one.minute === minute) return one
    one.last = one.minute === minute - 1 ? one.current : nothing
    one.current = nothing
    one.minute = minute
    return one
  }

  function count(instance: InstanceSettings, api: string, status: number, ms: number): void {
    const name = `${instance.id} ${api} ${status}`
    const fresh = { instance, api, status, all: nothing, minute: minuteNow(), current: nothing, last: nothing }
    const one = roll(series.get(name) ?? fresh)
    one.all = plus(one.all, ms)
    one.current = plus(one.current, ms)
    series.set(name, one)
  }

  async function note(draft: Draft | null, status: number, ms: number): Promise<void> {
    const instanceId = draft && parseCrn(draft.target.id)?.serviceInstance
    // Nobody's instance, so nobody's request.
    if (!instanceId || draft.ownerAccountId === null) return
    const instance = await selectInstanceSettings(reads, instanceId)
    if (instance && isMetered(instance.policies)) count(instance, draft.action, status, ms)
  }

  /** The trail as it is, and what passes through it counted. */
  const metered = (audit: Audit): Audit => ({
    ...audit,
    async watch<T>(call: Watched<T>): Promise<T> {
      const since = clock.monotonicMs()
      let draft: Draft | null = null
      const noted = async () => (draft = await call.draft())
      // A request that was served is not undone because it could not be counted.
      const end = (status: number) =>
        note(draft, status, clock.monotonicMs() - since).catch((err: unknown) =>
          log.warn({ err }, 'a request could not be counted'),
        )
      try {
        const result = await audit.watch({ ...call, draft: noted })
        await end(call.endOf(result).status)
        return result
      } catch (error) {
        await end(call.failureOf(error).status)
        throw error
      }
    },
  })

  /** Of the instances of one account, for whoever the account lets read them. */
  async function text({ caller }: Context, accountId: string): Promise<string> {
    await iam.authorize(caller, 'keyward.metrics.read', { accountId, serviceName: 'keyward' })
    const own = [...series.values()].filter(({ instance }) => instance.accountId === accountId).map(roll)
    return families.map((family) => familyText(family, own)).join('')
  }

  return { metered, text }
}

interface Family {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  /** Null where there is nothing to say. */
  readonly value: (one: Series) => number | null
}

const families: readonly Family[] = [
  {
    name: 'ibm_kms_api_request_gauge',
    type: 'gauge',
    help: 'Requests in the last whole minute.',
    value: ({ last }) => last.count,
  },
  {
    name: 'ibm_kms_api_latency_gauge',
    type: 'gauge',
    help: 'Milliseconds that a request of the last whole minute took, on average.',
    value: ({ last }) => (last.count === 0 ? null : last.ms / last.count),
  },
  {
    name: 'keyward_kms_api_requests_total',
    type: 'counter',
    help: 'Requests since the server started.',
    value: ({ all }) => all.count,
  },
  {
    name: 'keyward_kms_api_milliseconds_total',
    type: 'counter',
    help: 'Milliseconds that those requests took.',
    value: ({ all }) => all.ms,
  },
]

/** Prometheus, "Exposition formats", text format 0.0.4. */
function familyText({ name, type, help, value }: Family, all: readonly Series[]): string {
  const lines = all.flatMap((one) => {
    const figure = value(one)
    return figure === null ? [] : [`${name}{${labelsOf(one)}} ${figure}`]
  })
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n')
}

/** None of the values can hold what would have to be escaped: ids, names of ours, numbers. */
const labelsOf = ({ instance, api, status }: Series): string =>
  Object.entries({
    ibm_ctype: 'public',
    ibm_location: instance.region,
    ibm_service_name: instance.serviceName,
    ibm_scope: `a/${instance.accountId}`,
    ibm_resource_type: 'instance',
    ibm_resource: instance.id,
    ibm_service_instance: instance.id,
    ibm_kms_api: api,
    ibm_kms_response_code: status,
  })
    .map(([label, text]) => `${label}="${text}"`)
    .join(',')
