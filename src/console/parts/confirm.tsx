// A question before something that cannot simply be taken back. For what takes others down with it, a word is to be typed.

import { Button, TextInput } from '@carbon/react'
import { useState } from 'react'
import type { ReactNode } from 'react'
import type { Refusal } from '#client/refusal.ts'
import { Panel } from './panel.tsx'
import { Problem } from './problem.tsx'

export function Confirm(props: {
  readonly title: string
  readonly verb: string
  readonly children?: ReactNode
  readonly typed?: string | undefined
  readonly danger?: boolean
  readonly busy: boolean
  readonly problem: Refusal | null
  readonly onConfirm: () => void
  readonly onClose: () => void
}) {
  const { title, verb, children, typed, danger = true, busy, problem, onConfirm, onClose } = props
  const [text, setText] = useState('')
  return (
    <Panel
      title={title}
      at="middle"
      onClose={onClose}
      foot={
        <>
          <Button kind="secondary" onClick={onClose}>
            Cancel
          </Button>
          <Button
            kind={danger ? 'danger' : 'primary'}
            disabled={busy || (typed !== undefined && text !== typed)}
            onClick={onConfirm}
          >
            {busy ? `${verb} …` : verb}
          </Button>
        </>
      }
    >
      {children}
      {typed !== undefined && (
        <TextInput
          id="typed"
          labelText={`Type ${typed} to go on`}
          autoComplete="off"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      )}
      {problem && <Problem refusal={problem} />}
    </Panel>
  )
}
