// A table of things. On a phone every row becomes a card; the roles are written out, since a browser forgets a table's when
// its parts are no longer displayed as one.

import { InlineLoading } from '@carbon/react'
import type { ReactNode } from 'react'
import type { Refusal } from '#client/refusal.ts'
import { Problem } from './problem.tsx'

export interface Column<Row> {
  readonly name: string
  readonly cell: (row: Row) => ReactNode
  /** For columns of buttons: the name is for screen readers only. */
  readonly quiet?: boolean
  /** Short things, such as dates and sizes, that look torn on two lines. */
  readonly tight?: boolean
}

export function Grid<Row>(props: {
  readonly label: string
  readonly columns: readonly Column<Row>[]
  /** Undefined while it is not known. */
  readonly rows: readonly Row[] | undefined
  readonly rowKey: (row: Row) => string
  readonly problem?: Refusal | null
  readonly empty: ReactNode
}) {
  const { label, columns, rows, rowKey, problem, empty } = props
  if (problem && !rows) return <Problem refusal={problem} />
  if (!rows) return <InlineLoading description={`Reading ${label.toLowerCase()}`} />
  if (rows.length === 0) return <>{empty}</>
  return (
    <>
      {problem && <Problem refusal={problem} />}
      {/* oxlint-disable-next-line jsx-a11y/no-redundant-roles -- see above */}
      <table className="cds--data-table k-grid" role="table" aria-label={label}>
        <thead role="rowgroup">
          <tr role="row">
            {columns.map(({ name, quiet }) => (
              <th key={name} role="columnheader" scope="col">
                <span className={quiet ? 'cds--visually-hidden' : 'cds--table-header-label'}>{name}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <tr key={rowKey(row)} role="row">
              {columns.map(({ name, cell, quiet, tight }) => (
                <td
                  key={name}
                  role="cell"
                  className={tight ? 'k-tight' : undefined}
                  data-name={quiet ? undefined : name}
                >
                  <div className="k-cell">{cell(row)}</div>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}
