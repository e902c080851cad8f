// What can be done with a key, each action with what it means for whoever lies under it. What the key's state does not
// permit is shown with the reason; the table is the server's own.

import { Button, Checkbox } from '@carbon/react'
import { useState } from 'react'
import { useNavigate } from 'react-router'
import type { KeyAction } from '#kms/key-state.ts'
import { call } from '../api/call.ts'
import type { Session } from '../api/sessions.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { inInstance, isRoot } from '#client/key-manager.ts'
import type { Key } from '#client/key-manager.ts'
import { keyStateOf, keyWhyNot } from '#client/words.ts'
import { ImpactPreview } from './key-impact.tsx'

type Verb = 'rotate' | 'disable' | 'enable' | 'delete' | 'setForDeletion' | 'restore' | 'purge'

interface Question {
  readonly title: string
  readonly text: string
  readonly verb: string
  /** What to foresee before it is done. */
  readonly impact?: 'disable' | 'delete' | 'rotate'
  readonly danger: boolean
}

const questions: Readonly<Record<Verb, (name: string) => Question>> = {
  rotate: (name) => ({
    title: `Rotate ${name}?`,
    text: 'New data keys are wrapped by a new version; what lies under older ones is re-wrapped in the background. Nobody notices.',
    verb: 'Rotate',
    impact: 'rotate',
    danger: false,
  }),
  disable: (name) => ({
    title: `Disable ${name}?`,
    text: 'Nothing under it is opened any more. What is open is cut before this request is answered, unless the operator of this server lets it run until it is stopped. All of it goes on when the key is enabled again.',
    verb: 'Disable',
    impact: 'disable',
    danger: true,
  }),
  enable: (name) => ({
    title: `Enable ${name}?`,
    text: 'Everything under it can be used again, with its data. Key Protect asks for 30 seconds between disabling and enabling.',
    verb: 'Enable',
    danger: false,
  }),
  setForDeletion: (name) => ({
    title: `Set ${name} for deletion?`,
    text: 'This is the first of two words. Another person then has seven days to delete it. Nothing stops yet.',
    verb: 'Set for deletion',
    impact: 'delete',
    danger: true,
  }),
  delete: (name) => ({
    title: `Delete ${name}?`,
    text: 'Everything under it ends. The key can be restored for 30 days; what has been deleted under it meanwhile cannot.',
    verb: 'Delete',
    impact: 'delete',
    danger: true,
  }),
  restore: (name) => ({
    title: `Restore ${name}?`,
    text: 'The key is active again, under its old name.',
    verb: 'Restore',
    danger: false,
  }),
  purge: (name) => ({
    title: `Purge ${name}?`,
    text: 'Its material is destroyed now. Nothing that it has wrapped can ever be opened again.',
    verb: 'Purge',
    danger: true,
  }),
}

const act = (session: Session, given: { verb: Verb; instanceId: string; id: string; force: boolean }) => {
  const target = { headers: inInstance(given.instanceId), path: { id: given.id } }
  switch (given.verb) {
    case 'rotate':
      return call(session, 'kms', 'rotateKey', target)
    case 'disable':
      return call(session, 'kms', 'disableKey', target)
    case 'enable':
      return call(session, 'kms', 'enableKey', target)
    case 'setForDeletion':
      return call(session, 'kms', 'setKeyForDeletion', target)
    case 'delete':
      return call(session, 'kms', 'deleteKey', { ...target, query: { force: given.force } })
    case 'restore':
      return call(session, 'kms', 'restoreKey', target)
    case 'purge':
      return call(session, 'kms', 'purgeKey', target)
  }
}

export function KeyActions({ instanceId, listed: key }: { readonly instanceId: string; readonly listed: Key }) {
  const navigate = useNavigate()
  const [asked, setAsked] = useState<Verb | null>(null)
  const state = keyStateOf(key.state)
  const dual = key.dualAuthDelete
  const rootOnly = (action: KeyAction): string | null =>
    isRoot(key) ? keyWhyNot(action, state) : 'Only root keys are rotated, disabled and enabled.'
  const deleteWhyNot =
    dual?.enabled && !dual.keySetForDeletion
      ? 'It takes two people: one sets it for deletion first.'
      : keyWhyNot('delete', state)
  return (
    <>
      <Act whyNot={rootOnly('rotate')} onClick={() => setAsked('rotate')}>
        Rotate
      </Act>
      {state === 'suspended' ? (
        <Act whyNot={rootOnly('enable')} onClick={() => setAsked('enable')}>
          Enable
        </Act>
      ) : (
        <Act kind="danger--tertiary" whyNot={rootOnly('disable')} onClick={() => setAsked('disable')}>
          Disable
        </Act>
      )}
      {dual?.enabled && !dual.keySetForDeletion && (
        <Act
          kind="danger--tertiary"
          whyNot={keyWhyNot('setForDeletion', state)}
          onClick={() => setAsked('setForDeletion')}
        >
          Set for deletion
        </Act>
      )}
      {state === 'destroyed' ? (
        <>
          <Act whyNot={null} onClick={() => setAsked('restore')}>
            Restore
          </Act>
          <Act
            kind="danger--tertiary"
            whyNot={key.purgeAllowed === false ? 'Four hours after the deletion, and with a role of its own.' : null}
            onClick={() => setAsked('purge')}
          >
            Purge
          </Act>
        </>
      ) : (
        <Act kind="danger--tertiary" whyNot={deleteWhyNot} onClick={() => setAsked('delete')}>
          Delete
        </Act>
      )}
      {isRoot(key) && state !== 'destroyed' && (
        <Button
          size="sm"
          kind="primary"
          onClick={() => void navigate(`/authorizations?let&instance=${instanceId}&key=${key.id}`)}
        >
          Let another account use it
        </Button>
      )}
      {asked && <Asked verb={asked} instanceId={instanceId} listed={key} onClose={() => setAsked(null)} />}
    </>
  )
}

function Asked(props: {
  readonly verb: Verb
  readonly instanceId: string
  readonly listed: Key
  readonly onClose: () => void
}) {
  const { verb, instanceId, listed: key, onClose } = props
  const name = key.name ?? key.id
  const question = questions[verb](name)
  const [force, setForce] = useState(false)
  const registrations = useApi(
    'kms',
    'listKeyRegistrations',
    { headers: inInstance(instanceId), path: { id: key.id }, query: { limit: 1, totalCount: true } },
    { when: verb === 'delete' },
  )
  const isUsed = (registrations.data?.metadata.totalCount ?? 0) > 0
  const run = useAct((session) => act(session, { verb, instanceId, id: key.id, force }), onClose)
  return (
    <Confirm
      title={question.title}
      verb={question.verb}
      danger={question.danger}
      typed={verb === 'delete' || verb === 'purge' ? name : undefined}
      busy={run.isPending}
      problem={run.error}
      onConfirm={() => run.mutate(undefined)}
      onClose={onClose}
    >
      <p>{question.text}</p>
      {question.impact && <ImpactPreview instanceId={instanceId} id={key.id} action={question.impact} />}
      {verb === 'delete' && isUsed && (
        <Checkbox
          id="force"
          labelText="Delete it although resources lie under it"
          checked={force}
          onChange={(_, { checked }) => setForce(checked)}
        />
      )}
    </Confirm>
  )
}
