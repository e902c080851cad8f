// What a command has to say for itself, and the three ways to say it: to people, to programs (--json), to a shell (--quiet).

import { styleText } from 'node:util'

export interface Shown {
  /** The body that the API answered with; undefined where it answers without one. */
  readonly body?: unknown
  /** For people. Called only when it is printed. */
  readonly text?: (paper: Paper) => string
  /** For `--quiet`: what names the things, one a line. */
  readonly ids?: readonly string[]
  /** One of many that come as they come: its body is one line. */
  readonly oneLine?: true
  /** Where the outcome itself is a no: `doctor`, `verify`, `explain`. */
  readonly exitCode?: number
}

/** What text is laid out on. */
export interface Paper {
  readonly columns: number
  readonly color: boolean
}

export type Tint = 'good' | 'bad' | 'busy' | 'off' | 'bold'

const styles = { good: 'green', bad: 'red', busy: 'yellow', off: 'dim', bold: 'bold' } as const

/** Whether colours are wanted was decided once: context.ts. */
export const tint = (paper: Paper, as: Tint, text: string): string =>
  paper.color ? styleText(styles[as], text, { validateStream: false }) : text

export interface Column<Row> {
  readonly title: string
  readonly cell: (row: Row) => string
  readonly tint?: (row: Row) => Tint | null
  /** May lose its middle where the line is too long; names can, ids cannot: people copy them. */
  readonly shrinks?: true
  readonly right?: true
}

const gap = '  '
const shrunkMin = 8

export function table<Row>(paper: Paper, rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = rows.map((row) => columns.map((column) => printable(column.cell(row))))
  const natural = columns.map(({ title }, at) => Math.max(title.length, ...cells.map((line) => line[at]?.length ?? 0)))
  const widths = fit(natural, columns, paper.columns - gap.length * (columns.length - 1))
  const lineOf = (texts: readonly string[], style: (at: number, text: string) => string): string =>
    texts
      .map((text, at) => {
        const width = widths[at] ?? 0
        const short = middleOut(text, width)
        const space = ' '.repeat(Math.max(0, width - short.length))
        const isLast = at === columns.length - 1
        return columns[at]?.right ? space + style(at, short) : style(at, short) + (isLast ? '' : space)
      })
      .join(gap)
      .trimEnd()
  const head = lineOf(
    columns.map(({ title }) => title),
    (_, text) => tint(paper, 'off', text),
  )
  const body = rows.map((row, index) =>
    lineOf(cells[index] ?? [], (at, text) => {
      const as = columns[at]?.tint?.(row) ?? null
      return as === null ? text : tint(paper, as, text)
    }),
  )
  return [head, ...body].join('\n')
}

/** Takes from the widest of the columns that may shrink until all fit, or none can give any more. */
function fit(natural: readonly number[], columns: readonly Column<never>[], room: number): number[] {
  const widths = [...natural]
  for (let over = sum(widths) - room; over > 0; over -= 1) {
    const widest = widths.reduce(
      (best, width, at) => (columns[at]?.shrinks && width > (widths[best] ?? 0) ? at : best),
      columns.findIndex(({ shrinks }) => shrinks),
    )
    if (widest < 0 || (widths[widest] ?? 0) <= shrunkMin) break
    widths[widest] = (widths[widest] ?? 0) - 1
  }
  return widths
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0)

function middleOut(text: string, width: number): string {
  if (text.length <= width) return text
  const head = Math.ceil((width - 1) / 2)
  return `${text.slice(0, head)}…${text.slice(text.length - (width - 1 - head))}`
}

/** `name: value` below each other; what is not known is left out. Values are never cut. */
export function details(
  paper: Paper,
  fields: readonly (readonly [string, string | null | undefined, (Tint | null)?])[],
): string {
  const known = fields.filter(([, value]) => value !== null && value !== undefined && value !== '')
  const width = Math.max(...known.map(([name]) => name.length))
  return known
    .map(([name, value = '', as]) => {
      const [first = '', ...more] = (value ?? '').split('\n').map(printable)
      const shown = as ? tint(paper, as, first) : first
      const head = `${tint(paper, 'off', name.padEnd(width))}${gap}${shown}`
      return [head, ...more.map((line) => `${' '.repeat(width)}${gap}${line}`)].join('\n')
    })
    .join('\n')
}

/** What others have named must not move the cursor of whoever lists it. */
export const printable = (text: string): string =>
  // eslint-disable-next-line no-control-regex -- they are what is replaced
  text.replaceAll(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, '\ufffd')

/** A list that may be empty. */
export const listed = <Row>(parts: {
  readonly body: unknown
  readonly rows: readonly Row[]
  readonly columns: readonly Column<Row>[]
  readonly id: (row: Row) => string
  /** What to say where there is none, with what to do about it. */
  readonly none: string
}): Shown => ({
  body: parts.body,
  ids: parts.rows.map(parts.id),
  text: (paper) => (parts.rows.length === 0 ? parts.none : table(paper, parts.rows, parts.columns)),
})

/** Something was done: a sentence, and the body where the API answered one. */
export const done = (sentence: string, body?: unknown, id?: string): Shown => ({
  body,
  text: () => sentence,
  ids: id === undefined ? [] : [id],
})
