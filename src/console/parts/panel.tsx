// A dialog over the page, at its side or in its middle. It is the browser's own: it keeps the focus, closes on Escape and
// hides the page from screen readers.

import { Close } from '@carbon/icons-react'
import { useEffect, useId, useRef } from 'react'
import type { ReactNode } from 'react'

export function Panel(props: {
  readonly title: string
  readonly at?: 'side' | 'middle'
  readonly onClose: () => void
  readonly children: ReactNode
  /** Buttons, at the bottom. */
  readonly foot?: ReactNode
}) {
  const { title, at = 'side', onClose, children, foot } = props
  const dialog = useRef<HTMLDialogElement>(null)
  const titleId = useId()
  useEffect(() => {
    const element = dialog.current
    element?.showModal()
    // The first thing to fill in or to press, rather than the button that closes.
    element?.querySelector<HTMLElement>('.k-panel__body :is(input, select, textarea, button), footer button')?.focus()
  }, [])
  return (
    <dialog
      ref={dialog}
      className={`k-panel k-panel--${at}`}
      aria-labelledby={titleId}
      // Escape; where the browser closes it without asking, that is no less a wish.
      onCancel={(event) => {
        event.preventDefault()
        onClose()
      }}
      onClose={onClose}
    >
      <header className="k-panel__head">
        <h2 id={titleId}>{title}</h2>
        <button type="button" className="k-icon" aria-label="Close" onClick={onClose}>
          <Close size={20} />
        </button>
      </header>
      <div className="k-panel__body">{children}</div>
      {foot && <footer className="k-panel__foot">{foot}</footer>}
    </dialog>
  )
}
