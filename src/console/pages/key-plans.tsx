// Actions on a key that are announced before they are done, so that whoever lies under it can answer.

import { Button, Select, SelectItem, TextArea, TextInput } from '@carbon/react'
import { useState } from 'react'
import { call } from '../api/call.ts'
import type { Answer } from '#client/operations.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { Grid } from '../parts/grid.tsx'
import { inInstance } from '#client/key-manager.ts'
import { Empty } from '../parts/page.tsx'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { Status } from '../parts/status.tsx'
import { shortId, timeText } from '#client/words.ts'

type Plan = Answer<'transparency', 'getPlan'>

const tones = { announced: 'busy', done: 'good', withdrawn: 'off' } as const satisfies Record<Plan['state'], string>

export function Plans({ instanceId, id }: { readonly instanceId: string; readonly id: string }) {
  const headers = inInstance(instanceId)
  const { data, error } = useApi('transparency', 'listPlans', { headers, path: { id } })
  const [announcing, setAnnouncing] = useState(false)
  const [proceeding, setProceeding] = useState<Plan | null>(null)
  const withdraw = useAct((session, plan: Plan) =>
    call(session, 'transparency', 'withdrawPlan', { path: { id: plan.id } }),
  )
  return (
    <>
      <div className="k-actions">
        <Act whyNot={null} onClick={() => setAnnouncing(true)}>
          Announce an action
        </Act>
      </div>
      {withdraw.error && <Problem refusal={withdraw.error} title="The plan was not withdrawn" />}
      <Grid
        label="Planned actions"
        rows={data?.plans}
        rowKey={(plan) => plan.id}
        problem={error}
        empty={
          <Empty title="Nothing was announced">
            <p>
              Announce that the key will be disabled, deleted or rotated: every account under it is told and can answer.
            </p>
          </Empty>
        }
        columns={[
          { name: 'Planned for', tight: true, cell: (plan) => timeText(plan.planned_at) },
          {
            name: 'Action',
            cell: (plan) => (
              <>
                {plan.action} <Status tone={tones[plan.state]}>{plan.state}</Status>
                <div className="k-small">{plan.reason}</div>
              </>
            ),
          },
          {
            name: 'Answers',
            cell: (plan) =>
              plan.accounts.map((one) => (
                <div key={one.account_id} className="k-small">
                  {shortId(one.account_id)}: {one.answer ?? 'no answer yet'}
                  {one.reason && `, “${one.reason}”`}
                </div>
              )),
          },
          {
            name: 'Actions',
            quiet: true,
            cell: (plan) =>
              plan.state === 'announced' && (
                <div className="k-actions">
                  <Act kind="danger--ghost" whyNot={null} onClick={() => setProceeding(plan)}>
                    Proceed
                  </Act>
                  <Act kind="ghost" whyNot={null} busy={withdraw.isPending} onClick={() => withdraw.mutate(plan)}>
                    Withdraw
                  </Act>
                </div>
              ),
          },
        ]}
      />
      {announcing && <Announce instanceId={instanceId} id={id} onClose={() => setAnnouncing(false)} />}
      {proceeding && <Proceed plan={proceeding} onClose={() => setProceeding(null)} />}
    </>
  )
}

function Announce(props: { readonly instanceId: string; readonly id: string; readonly onClose: () => void }) {
  const { instanceId, id, onClose } = props
  const [action, setAction] = useState<Plan['action']>('disable')
  const [at, setAt] = useState('')
  const [reason, setReason] = useState('')
  const announce = useAct(
    (session) =>
      call(session, 'transparency', 'announcePlan', {
        headers: inInstance(instanceId),
        path: { id },
        body: { action, planned_at: new Date(at).toISOString(), reason },
      }),
    onClose,
  )
  return (
    <Panel
      title="Announce an action"
      onClose={onClose}
      foot={
        <>
          <Button kind="secondary" onClick={onClose}>
            Cancel
          </Button>
          <Button
            disabled={announce.isPending || at === '' || reason === ''}
            onClick={() => announce.mutate(undefined)}
          >
            {announce.isPending ? 'Announcing …' : 'Announce'}
          </Button>
        </>
      }
    >
      <div className="k-form">
        <Select
          id="plan-action"
          labelText="Action"
          value={action}
          onChange={(event) => setAction(event.target.value as Plan['action'])}
        >
          <SelectItem value="disable" text="Disable" />
          <SelectItem value="delete" text="Delete" />
          <SelectItem value="rotate" text="Rotate" />
        </Select>
        <TextInput
          id="plan-at"
          type="datetime-local"
          labelText="When"
          value={at}
          onChange={(event) => setAt(event.target.value)}
        />
        <TextArea
          id="plan-reason"
          labelText="Why"
          helperText="Every account under the key reads it."
          rows={3}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
        {announce.error && <Problem refusal={announce.error} title="It was not announced" />}
      </div>
    </Panel>
  )
}

function Proceed({ plan, onClose }: { readonly plan: Plan; readonly onClose: () => void }) {
  const [why, setWhy] = useState('')
  const proceed = useAct(
    (session) =>
      call(session, 'transparency', 'proceedWithPlan', {
        path: { id: plan.id },
        body: { ...(why && { break_glass: why }) },
      }),
    onClose,
  )
  return (
    <Confirm
      title={`Now ${plan.action} the key?`}
      verb="Proceed"
      busy={proceed.isPending}
      problem={proceed.error}
      onConfirm={() => proceed.mutate(undefined)}
      onClose={onClose}
    >
      {plan.stands_against.length === 0 ? (
        <p>Nothing stands against it.</p>
      ) : (
        <>
          <p>This stands against it:</p>
          <ul className="k-list">
            {plan.stands_against.map((one) => (
              <li key={one}>{one}</li>
            ))}
          </ul>
          <TextInput
            id="break-glass"
            labelText="Why it has to be all the same"
            helperText="It is recorded, and everybody who was told is told of it."
            value={why}
            onChange={(event) => setWhy(event.target.value)}
          />
        </>
      )}
    </Confirm>
  )
}
