// An API key is what people of this server have. It goes to the token API and nowhere else.

import { Button, InlineNotification, PasswordInput } from '@carbon/react'
import { useEffect, useState } from 'react'
import type { FormEvent } from 'react'
import type { Refusal } from '#client/refusal.ts'
import { signIn } from '../api/sessions.ts'
import { Panel } from '../parts/panel.tsx'

export function SignIn() {
  useEffect(() => {
    document.title = 'Sign in – Keyward'
  }, [])
  return (
    <main className="k-sign-in">
      <h1>Keyward</h1>
      <p className="k-lead">Block storage whose keys may belong to someone else.</p>
      <SignInForm submit="Sign in" />
      <p className="k-note">
        On a first run the server makes two accounts and prints their API keys; they are also in{' '}
        <code>bootstrap.json</code> in its data folder. The console keeps no API key: signing out, or closing this tab,
        ends the session.
      </p>
    </main>
  )
}

export const SignInPanel = ({ onClose }: { readonly onClose: () => void }) => (
  <Panel title="Add an account" at="middle" onClose={onClose}>
    <p>Both accounts stay signed in; the list at the top switches between them.</p>
    <SignInForm submit="Add" onDone={onClose} />
  </Panel>
)

function SignInForm({ submit, onDone }: { readonly submit: string; readonly onDone?: () => void }) {
  const [apiKey, setApiKey] = useState('')
  const [problem, setProblem] = useState<Refusal | null>(null)
  const [busy, setBusy] = useState(false)

  async function send(event: FormEvent): Promise<void> {
    event.preventDefault()
    setBusy(true)
    setProblem(null)
    try {
      await signIn(apiKey)
      onDone?.()
    } catch (error) {
      setProblem(error as Refusal)
      setBusy(false)
    }
  }

  return (
    <form onSubmit={(event) => void send(event)} className="k-form">
      <PasswordInput
        id="api-key"
        labelText="API key"
        autoComplete="current-password"
        tooltipPosition="left"
        value={apiKey}
        onChange={(event) => setApiKey(event.target.value)}
        required
      />
      {problem && (
        <InlineNotification
          kind="error"
          role="alert"
          lowContrast
          hideCloseButton
          title="Not signed in"
          subtitle={problem.message}
        />
      )}
      <Button type="submit" disabled={busy || apiKey.trim() === ''}>
        {busy ? 'Signing in …' : submit}
      </Button>
    </form>
  )
}
