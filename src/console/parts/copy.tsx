// Texts to take along: one line that is shortened, or a block.

import { Button, CodeSnippet, CopyButton } from '@carbon/react'
import { Copy } from '@carbon/icons-react'
import { useState } from 'react'

const copy = (text: string): Promise<void> => navigator.clipboard.writeText(text).catch(() => {})

/** An id or a CRN on one line, with what it begins and ends with, and a button that copies all of it. */
export function CopyText({
  text,
  shown,
  label,
}: {
  readonly text: string
  readonly shown?: string
  readonly label: string
}) {
  return (
    <span className="k-copy">
      <code title={text}>{shown ?? text}</code>
      <CopyButton
        iconDescription={`Copy ${label}`}
        feedback="Copied"
        size="sm"
        align="left"
        onClick={() => void copy(text)}
      />
    </span>
  )
}

/** A command or a document, as it is to be pasted. */
export function CopyBlock({ text, label }: { readonly text: string; readonly label: string }) {
  return (
    <CodeSnippet
      type={text.includes('\n') ? 'multi' : 'single'}
      feedback="Copied"
      aria-label={label}
      copyButtonDescription={`Copy ${label}`}
      onClick={() => void copy(text)}
      wrapText
    >
      {text}
    </CodeSnippet>
  )
}

/** A message to somebody, to be sent by whatever people write to each other with. */
export function CopyMessage({ text, label }: { readonly text: string; readonly label: string }) {
  const [copied, setCopied] = useState(false)
  return (
    <div className="k-message">
      {/* biome-ignore lint: a long text that is read, not changed */}
      <textarea
        className="cds--text-area"
        aria-label={label}
        readOnly
        rows={Math.min(text.split('\n').length + 2, 14)}
        value={text}
      />
      <Button
        kind="tertiary"
        size="sm"
        renderIcon={Copy}
        onClick={() => {
          void copy(text).then(() => setCopied(true))
        }}
      >
        {copied ? 'Copied' : `Copy ${label}`}
      </Button>
    </div>
  )
}
