// Before something is done to a key: what refuses it, and what it would do to the resources of every account. The server
// foresees it by the rules that the action obeys.

import { InlineLoading, InlineNotification } from '@carbon/react'
import { stops, totalOf } from '#client/impact.ts'
import type { Group, Impact } from '#client/impact.ts'
import { useApi, useSession } from '../api/use-api.ts'
import { serviceNames } from '#client/authorization.ts'
import { inInstance } from '#client/key-manager.ts'
import { Problem } from '../parts/problem.tsx'
import { plural, words } from '#client/words.ts'

export function ImpactPreview(props: {
  readonly instanceId: string
  readonly id: string
  readonly action: Impact['action']
  readonly policyId?: string
}) {
  const { instanceId, id, action, policyId } = props
  const { data, error } = useApi('transparency', 'foreseeImpact', {
    headers: inInstance(instanceId),
    path: { id },
    query: { limit: 10 },
    body: { action, ...(policyId && { policy_id: policyId }) },
  })
  if (error) return <Problem refusal={error} title="What it would mean cannot be foreseen" />
  if (!data) return <InlineLoading description="Foreseeing what it means" />
  const groups = data.accounts.filter(stops)
  const [count, open] = [totalOf(groups, 'resources'), totalOf(groups, 'open')]
  return (
    <>
      {data.refusals.map(({ code, message, forceable }) => (
        <InlineNotification
          key={code}
          kind={forceable ? 'warning' : 'error'}
          role="status"
          lowContrast
          hideCloseButton
          title={forceable ? 'Refused unless forced' : 'It would be refused'}
          subtitle={`${message} (${code})`}
        />
      ))}
      {count === 0 ? (
        <p className="k-note">Nothing stops.</p>
      ) : (
        <>
          <InlineNotification
            kind="warning"
            role="status"
            lowContrast
            hideCloseButton
            title={`${plural(count, 'resource')} ${count === 1 ? 'stops' : 'stop'}`}
            subtitle={
              open === 0
                ? 'None of them is open now.'
                : `${open} of them ${open === 1 ? 'is' : 'are'} open now: running I/O is cut.`
            }
          />
          <ul className="k-list" aria-label="What is affected">
            {groups.map((group) => (
              <Affected key={`${group.account_id} ${group.service}`} group={group} />
            ))}
          </ul>
        </>
      )}
    </>
  )
}

function Affected({ group }: { readonly group: Group }) {
  const { accountId } = useSession()
  return (
    <li>
      <strong>{group.account_id === accountId ? 'This account' : `Account ${group.account_id}`}</strong>:{' '}
      {plural(group.resources, 'resource')} of {(serviceNames[group.service] ?? group.service).toLowerCase()}, whose key
      is then {words(group.key_after)}
    </li>
  )
}
