// Medians and ratios of what was measured, as a table in Markdown.

import type { Kind } from './servers.ts'
import type { Workload } from './workloads.ts'

export interface Sample {
  readonly workload: string
  readonly server: string
  readonly kind: Kind
  /** Requests per second. */
  readonly perSecond: number
  readonly cpuPerGib: number
}

interface Cell {
  readonly server: string
  readonly kind: Kind
  readonly median: number
  readonly spread: readonly [number, number]
  readonly cpuPerGib: number
}

export function renderTable(workloads: readonly Workload[], samples: readonly Sample[]): string {
  const lines = [
    '| workload | keyward | best encrypting peer | ratio | best raw server | ratio | CPU s/GiB: keyward, that peer |',
    '|---|---|---|---|---|---|---|',
  ]
  for (const workload of workloads) {
    const cells = cellsOf(samples.filter((sample) => sample.workload === workload.name))
    const ours = cells.find((cell) => cell.kind === 'ours')
    if (!ours) continue
    const peer = best(cells, 'encrypting')
    const raw = best(cells, 'raw')
    const columns = [
      workload.title,
      `**${figure(workload, ours.median)}** (${ours.spread.map((value) => figure(workload, value)).join(' to ')})`,
      peer ? `${figure(workload, peer.median)} ${peer.server}` : '',
      peer ? `**${(ours.median / peer.median).toFixed(2)}**` : '',
      raw ? `${figure(workload, raw.median)} ${raw.server}` : '',
      raw ? (ours.median / raw.median).toFixed(2) : '',
      `${ours.cpuPerGib.toFixed(1)}, ${peer?.cpuPerGib.toFixed(1) ?? ''}`,
    ]
    lines.push(`| ${columns.join(' | ')} |`)
  }
  return lines.join('\n')
}

/** Our own volumes without tags and with them, in the same run. */
export function renderTagsTable(workloads: readonly Workload[], samples: readonly Sample[]): string {
  const lines = [
    '| workload | without tags | with tags | ratio | CPU s/GiB: without, with | ratio |',
    '|---|---|---|---|---|---|',
  ]
  for (const workload of workloads) {
    const cells = cellsOf(samples.filter((sample) => sample.workload === workload.name))
    const [plain, tagged] = [best(cells, 'ours'), best(cells, 'ours with tags')]
    if (!plain || !tagged) continue
    const speed = ({ median: middle, spread }: Cell): string =>
      `**${figure(workload, middle)}** (${spread.map((value) => figure(workload, value)).join(' to ')})`
    const cpu = `${plain.cpuPerGib.toFixed(1)}, ${tagged.cpuPerGib.toFixed(1)}`
    const [slower, dearer] = [tagged.median / plain.median, tagged.cpuPerGib / plain.cpuPerGib]
    const columns = [workload.title, speed(plain), speed(tagged), slower.toFixed(2), cpu, `**${dearer.toFixed(1)}**`]
    lines.push(`| ${columns.join(' | ')} |`)
  }
  return lines.join('\n')
}

function cellsOf(samples: readonly Sample[]): Cell[] {
  const servers = new Set(samples.map(({ server }) => server))
  return [...servers].map((server) => {
    const of = samples.filter((sample) => sample.server === server)
    const speeds = of.map(({ perSecond }) => perSecond)
    return {
      server,
      kind: of[0]?.kind ?? 'raw',
      median: median(speeds),
      spread: [Math.min(...speeds), Math.max(...speeds)],
      cpuPerGib: median(of.map(({ cpuPerGib }) => cpuPerGib)),
    }
  })
}

function best(cells: readonly Cell[], kind: Kind): Cell | undefined {
  return cells.filter((cell) => cell.kind === kind).sort((a, b) => b.median - a.median)[0]
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const [low = 0, high = 0] = [sorted[middle - 1], sorted[middle]]
  return sorted.length % 2 === 1 ? high : (low + high) / 2
}

/** MB/s are 10^6 bytes. */
function figure({ unit, blockBytes }: Workload, perSecond: number): string {
  if (unit === 'IOPS') return perSecond >= 10_000 ? `${(perSecond / 1000).toFixed(1)}k` : String(Math.round(perSecond))
  return `${Math.round((perSecond * blockBytes) / 1e6)} MB/s`
}
