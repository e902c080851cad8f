// From page to page by the API's own tokens. Back is the browser's back: the place is in the URL.

import { Button } from '@carbon/react'
import { useNavigate } from 'react-router'
import { plural } from '#client/words.ts'

/** The token in the link to the next page. */
export const nextStart = (next: { readonly href: string } | undefined): string | undefined =>
  (next && new URL(next.href, location.href).searchParams.get('start')) ?? undefined

export function Pages(props: {
  readonly total: number | undefined
  readonly shown: number | undefined
  readonly start: string | undefined
  readonly next: string | undefined
  readonly onTo: (start: string) => void
}) {
  const { total, shown = 0, start, next, onTo } = props
  const navigate = useNavigate()
  if (shown === 0) return null
  return (
    <nav className="k-pages" aria-label="Pages of this list">
      <span className="k-small">{total === undefined ? plural(shown, 'row') : `${shown} of ${total}`}</span>
      <Button kind="ghost" size="sm" disabled={start === undefined} onClick={() => void navigate(-1)}>
        Back
      </Button>
      <Button kind="ghost" size="sm" disabled={next === undefined} onClick={() => next && onTo(next)}>
        Next
      </Button>
    </nav>
  )
}
