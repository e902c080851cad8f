// A state as a tag: a colour, and the word, so that nobody has to tell colours apart.

import { CheckmarkFilled, ErrorFilled, InProgress, PauseOutline } from '@carbon/icons-react'
import { Tag } from '@carbon/react'
import type { Tone } from '#client/words.ts'

const looks = {
  good: ['green', CheckmarkFilled],
  busy: ['blue', InProgress],
  bad: ['red', ErrorFilled],
  off: ['gray', PauseOutline],
} as const

export function Status({ tone, children }: { readonly tone: Tone; readonly children: string }) {
  const [type, icon] = looks[tone]
  return (
    <Tag type={type} renderIcon={icon} size="sm">
      {children}
    </Tag>
  )
}
