// Before a key is disabled or deleted: what stops, in which accounts.

import { InlineLoading, InlineNotification } from '@carbon/react'
import { useApi, useSession } from '../api/use-api.ts'
import { impactOf } from '../parts/impact.ts'
import type { Impact } from '../parts/impact.ts'
import { inInstance } from '../parts/key-managers.ts'
import { Problem } from '../parts/problem.tsx'
import { plural } from '../parts/words.ts'

/** More than these are counted and not listed by account. */
const sampleRows = 200

export function ImpactPreview(props: {
  readonly instanceId: string
  readonly id: string
  readonly then: 'stops' | 'ends'
}) {
  const { instanceId, id, then } = props
  const { accountId } = useSession()
  const { data, error } = useApi('kms', 'listKeyRegistrations', {
    headers: inInstance(instanceId),
    path: { id },
    query: { limit: sampleRows, totalCount: true },
  })
  if (error) return <Problem refusal={error} title="What lies under the key cannot be read" />
  if (!data) return <InlineLoading description="Looking what lies under it" />
  const total = data.metadata.totalCount ?? data.resources.length
  if (total === 0) return <p className="k-note">Nothing lies under it.</p>
  const impacts = impactOf(data.resources.map((one) => one.resourceCrn))
  const others = impacts.filter((one) => one.accountId !== accountId)
  return (
    <>
      <InlineNotification
        kind="warning"
        role="status"
        lowContrast
        hideCloseButton
        title={`${plural(total, 'resource')} ${then === 'stops' ? (total === 1 ? 'stops' : 'stop') : total === 1 ? 'ends' : 'end'}`}
        subtitle={
          others.length === 0
            ? 'All of them are of this account.'
            : `Also in ${plural(others.length, 'other account')}.`
        }
      />
      <ul className="k-list" aria-label="What is affected">
        {impacts.map((impact) => (
          <li key={impact.accountId}>
            <strong>{impact.accountId === accountId ? 'This account' : `Account ${impact.accountId}`}</strong>:{' '}
            {inWords(impact)}
          </li>
        ))}
      </ul>
      {total > data.resources.length && (
        <p className="k-small">Counted by account from the first {data.resources.length}.</p>
      )}
    </>
  )
}

const inWords = ({ counts }: Impact): string =>
  new Intl.ListFormat('en').format(counts.map(([type, count]) => plural(count, type)))
