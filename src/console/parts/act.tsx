// A button for an action that may be impossible now. Impossible ones stay where they are, disabled, and say why.

import { Button } from '@carbon/react'
import { useId } from 'react'
import type { ComponentProps } from 'react'

type Kind = ComponentProps<typeof Button>['kind']

export function Act(props: {
  readonly children: string
  /** A sentence where it cannot be done now, null where it can. */
  readonly whyNot: string | null
  readonly onClick: () => void
  readonly kind?: Kind
  readonly busy?: boolean
  readonly busyText?: string
}) {
  const { children, whyNot, onClick, kind = 'tertiary', busy = false, busyText } = props
  const id = useId()
  return (
    <span className="k-act">
      <Button
        kind={kind}
        size="sm"
        disabled={whyNot !== null || busy}
        aria-describedby={whyNot === null ? undefined : id}
        onClick={onClick}
      >
        {busy ? (busyText ?? `${children} …`) : children}
      </Button>
      {whyNot !== null && (
        <span id={id} className="k-act__why">
          {whyNot}
        </span>
      )}
    </span>
  )
}
