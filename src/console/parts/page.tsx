// What every page is made of: a title that is also the tab's, sections, and an empty state that says what to do next.

import { useEffect } from 'react'
import type { ReactNode } from 'react'

export function Page(props: {
  readonly title: string
  readonly lead?: ReactNode
  readonly actions?: ReactNode
  readonly above?: ReactNode
  readonly children: ReactNode
}) {
  const { title, lead, actions, above, children } = props
  useEffect(() => {
    document.title = `${title} – Keyward`
  }, [title])
  return (
    <>
      {above && <div className="k-above">{above}</div>}
      <div className="k-title">
        <div>
          <h1>{title}</h1>
          {lead && <p className="k-lead">{lead}</p>}
        </div>
        {actions && <div className="k-actions">{actions}</div>}
      </div>
      {children}
    </>
  )
}

export function Section(props: {
  readonly title: string
  readonly lead?: ReactNode
  readonly actions?: ReactNode
  readonly children: ReactNode
}) {
  const { title, lead, actions, children } = props
  return (
    <section className="k-section" aria-label={title}>
      <div className="k-title">
        <div>
          <h2>{title}</h2>
          {lead && <p className="k-note">{lead}</p>}
        </div>
        {actions && <div className="k-actions">{actions}</div>}
      </div>
      {children}
    </section>
  )
}

export function Empty(props: { readonly title: string; readonly children?: ReactNode; readonly action?: ReactNode }) {
  return (
    <div className="k-empty">
      <p className="k-empty__title">{props.title}</p>
      {props.children && <div className="k-empty__text">{props.children}</div>}
      {props.action}
    </div>
  )
}

/** Names and values, side by side; below each other on a phone. */
export function Facts({ rows }: { readonly rows: readonly (readonly [name: string, value: ReactNode] | null)[] }) {
  return (
    <dl className="k-facts">
      {rows.map(
        (row) =>
          row && (
            <div key={row[0]}>
              <dt>{row[0]}</dt>
              <dd>{row[1]}</dd>
            </div>
          ),
      )}
    </dl>
  )
}
