// Compares the data plane with other NBD servers on this machine, side by side: every round runs each workload against
// each server in turn, and what counts is the median over the rounds and its ratio to the peers'. `npm run bench:disk`;
// README.md in this folder says how to read the result.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { machine, writeSection } from './page.ts'
import { say, startServers } from './servers.ts'
import type { Server } from './servers.ts'
import { renderTable, renderTagsTable } from './table.ts'
import type { Sample } from './table.ts'
import { fill, rampSeconds, workloads } from './workloads.ts'

const { values } = parseArgs({
  options: {
    /** Two short rounds: to see whether a change is worth measuring. */
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    seconds: { type: 'string' },
    /** Regular expressions on the names of workloads and servers. */
    only: { type: 'string', default: '.' },
    servers: { type: 'string', default: '.' },
    /** Puts the table into docs/performance.md. */
    write: { type: 'boolean', default: false },
    /** Compares our own volumes instead: those without tags and those with them. */
    tags: { type: 'boolean', default: false },
    folder: { type: 'string', default: tmpdir() },
  },
})

const rounds = Number(values.rounds ?? (values.quick ? 2 : 5))
const seconds = Number(values.seconds ?? (values.quick ? 1 : 2))
const chosen = workloads.filter(({ name }) => new RegExp(values.only).test(name))
const folder = mkdtempSync(join(values.folder, 'kwbench-'))

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1))

let servers: Server[] = []
try {
  servers = await startServers(folder, new RegExp(values.servers), values.tags)
  for (const server of servers) await fill(server)
  const samples: Sample[] = []
  for (let round = 1; round <= rounds; round += 1) {
    for (const workload of chosen) {
      for (const server of inTurn(servers, round)) {
        if (workload.tls && server.tlsUri === null) continue
        const cpuBefore = server.cpuSeconds()
        const perSecond = await workload.run(server, seconds)
        const gibMoved = (perSecond * (rampSeconds + seconds) * workload.blockBytes) / 2 ** 30
        const cpuPerGib = (server.cpuSeconds() - cpuBefore) / gibMoved
        samples.push({ workload: workload.name, server: server.name, kind: server.kind, perSecond, cpuPerGib })
        say(`${round}/${rounds} ${workload.name} ${server.name}: ${shown(workload, perSecond)}`)
      }
    }
  }
  const resident = servers.map(({ name, residentBytes }) => `${name} ${Math.round(residentBytes() / 2 ** 20)} MiB`)
  const table = (values.tags ? renderTagsTable : renderTable)(chosen, samples)
  const text = `${machine()}; ${rounds} rounds of ${seconds} s.\n\n${table}\n\nResident after the run: ${resident.join(', ')}.`
  process.stdout.write(`${text}\n`)
  if (values.write) writeSection(values.tags ? 'bench:disk --tags' : 'bench:disk', text)
} finally {
  for (const server of servers) await server.close()
  rmSync(folder, { recursive: true, force: true })
}

/** Each round begins with another server, so that nobody always runs after the same neighbour. */
function inTurn(all: readonly Server[], round: number): Server[] {
  const first = round % all.length
  return [...all.slice(first), ...all.slice(0, first)]
}

function shown(workload: { unit: string; blockBytes: number }, perSecond: number): string {
  return workload.unit === 'IOPS'
    ? `${Math.round(perSecond)} IOPS`
    : `${Math.round((perSecond * workload.blockBytes) / 1e6)} MB/s`
}
