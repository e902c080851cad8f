// `drill revoke`: a rehearsal of what a key's owner does in an emergency, on resources made for it: real volumes, real clients
// that write, a real disable. Measured from outside, by what the clients were served, and from inside, by what the server wrote down.

import { command, keyManagerOption, whole } from './command.ts'
import type { Cli } from './context.ts'
import { startClients } from './drill-clients.ts'
import type { Refused } from './drill-clients.ts'
import { makeScratch } from './drill-scratch.ts'
import { findKeyManager } from './find-key.ts'
import type { Session } from './session.ts'
import { table } from './shown.ts'
import { until } from './wait.ts'

const volumesUsual = 3
/** Each is a client with a thread and a TLS connection. */
const volumesMax = 100

const revoke = command({
  name: 'drill revoke',
  summary: 'Rehearse a revocation on scratch volumes under I/O, and measure it',
  description:
    'Makes a root key, volumes under it and a machine in this account, lets real NBD clients write, disables the key, and says how long they were still served. Removes all of it, whatever happens; the key stays deleted, as deleted keys do, until its time comes.',
  options: {
    volumes: whole('N', `how many volumes, each with a client (${volumesUsual})`, { min: 1, max: volumesMax }),
    keyManager: keyManagerOption,
  },
  examples: [['drill revoke --volumes 10', 'Ten volumes, ten clients']],
  async run(cli, given) {
    const session = await cli.session()
    const keyManager = await findKeyManager(session, given.keyManager)
    const volumeCount = given.volumes ?? volumesUsual
    // What was made is removed first: ^C ends the drill, and not the removal.
    const hold = (): void => cli.say('Interrupted: what was made is being removed.')
    process.on('SIGINT', hold)
    try {
      await using undo = new AsyncDisposableStack()
      cli.say(`Making a key, ${volumeCount} volumes and a machine.`)
      const scratch = await makeScratch({ cli, session, keyManager, volumeCount }, undo)
      using clients = await startClients(scratch.connections)
      cli.say('Every client is writing. Disabling the key.')
      const askedAt = cli.clock.now()
      await scratch.disable()
      const answeredAt = cli.clock.now()
      const refused = await clients.refused
      const body = {
        key_crn: scratch.keyCrn,
        volumes: volumeCount,
        answered_seconds: seconds(answeredAt - askedAt),
        outside: outside(refused, askedAt),
        inside: await inside(cli, session, scratch.keyCrn),
      }
      cli.say('Removing what was made.')
      return { body, text: (paper) => figures(paper, body) }
    } finally {
      process.off('SIGINT', hold)
    }
  },
})

type Quantiles = Readonly<Record<'p50_seconds' | 'p99_seconds' | 'max_seconds', number>>

/** From the request, over the clients. Before it left, nobody could be refused: a write that ended before counts as 0. */
function outside(refused: readonly Refused[], askedAt: number) {
  const since = (times: readonly number[]): Quantiles => quantiles(times.map((at) => Math.max(0, at - askedAt)))
  return {
    last_served: since(refused.map(({ lastServedAt }) => lastServedAt)),
    first_refused: since(refused.map(({ firstRefusedAt }) => firstRefusedAt)),
    writes: refused.reduce((sum, { writes }) => sum + writes, 0),
  }
}

/** The nearest rank: a time that was measured, not one between two. */
function quantiles(ms: readonly number[]): Quantiles {
  const sorted = ms.toSorted((a, b) => a - b)
  const at = (quantile: number): number => seconds(sorted[Math.ceil(quantile * sorted.length) - 1] ?? 0)
  return { p50_seconds: at(0.5), p99_seconds: at(0.99), max_seconds: at(1) }
}

const seconds = (ms: number): number => Math.round(ms * 1000) / 1_000_000

async function inside(cli: Cli, session: Session, keyCrn: string) {
  const found = await until(cli, {
    timeout: 60,
    what: 'the end of the revocation',
    ask: async () => {
      const { revocations } = await session.call('keyward', 'listRevocations', { query: { limit: 100 } })
      return revocations.find((one) => one.key_crn === keyCrn && one.cause === 'key.disabled')
    },
    isThere: (revocation) => revocation !== undefined && revocation.state !== 'under-way',
    problem: () => null,
  })
  return {
    state: found?.state ?? null,
    volumes: found?.volumes ?? null,
    duration_seconds: found?.duration_seconds ?? null,
  }
}

interface Report {
  readonly key_crn: string
  readonly volumes: number
  readonly answered_seconds: number
  readonly outside: ReturnType<typeof outside>
  readonly inside: Awaited<ReturnType<typeof inside>>
}

const milliseconds = (value: number | null): string => (value === null ? '?' : `${(value * 1000).toFixed(1)} ms`)

function figures(paper: Parameters<typeof table>[0], report: Report): string {
  const { last_served: served, first_refused: refused, writes } = report.outside
  const rows = [
    { what: 'last write that was served', ...served },
    { what: 'first write that was refused', ...refused },
  ]
  const { state, volumes, duration_seconds: duration } = report.inside
  return [
    `${report.volumes} volumes, ${writes} writes; after the request to disable the key:`,
    '',
    table(paper, rows, [
      { title: '', cell: ({ what }) => what },
      { title: 'P50', cell: (row) => milliseconds(row.p50_seconds), right: true },
      { title: 'P99', cell: (row) => milliseconds(row.p99_seconds), right: true },
      { title: 'MAX', cell: (row) => milliseconds(row.max_seconds), right: true },
    ]),
    '',
    `the request was answered after ${milliseconds(report.answered_seconds)}`,
    `the server counts ${milliseconds(duration)} from its commit to the last acknowledgement, of ${volumes ?? '?'} volumes: ${state ?? '?'}`,
  ].join('\n')
}

export const drillCommands = [revoke]
