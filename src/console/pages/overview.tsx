// What needs somebody's attention, and where a newcomer begins.

import { InlineLoading } from '@carbon/react'
import { ArrowRight, CheckmarkOutline, CircleDash } from '@carbon/icons-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { parseCrn } from '#base/crn.ts'
import { useApi, useSession } from '../api/use-api.ts'
import { attentionOf } from '../parts/attention.ts'
import type { Attention } from '../parts/attention.ts'
import { useAllKeys } from '../parts/all-keys.ts'
import { Empty, Page, Section } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { Status } from '../parts/status.tsx'
import { OverviewRevocations } from './overview-revocations.tsx'

export function OverviewPage() {
  const { accountId } = useSession()
  const volumes = useApi('vpc', 'listVolumes', { query: { limit: 100 } })
  const authorizations = useApi('iam', 'listPolicies', {
    query: { account_id: accountId, type: 'authorization', format: 'include_last_permit' },
  })
  const { keys, registrations, problem } = useAllKeys()
  const refusal = volumes.error ?? authorizations.error ?? problem
  if (refusal && !volumes.data)
    return (
      <Page title="Overview">
        <Problem refusal={refusal} />
      </Page>
    )
  if (!volumes.data || !authorizations.data || !keys || !registrations) {
    return (
      <Page title="Overview">
        <InlineLoading description="Reading the account" />
      </Page>
    )
  }
  const attention = attentionOf({ volumes: volumes.data.volumes, keys, registrations })
  const others = new Set(
    registrations.map((one) => parseCrn(one.resourceCrn)?.accountId).filter((id) => id !== accountId),
  )
  const borrowed = volumes.data.volumes.filter((volume) => {
    const owner = volume.encryption_key && parseCrn(volume.encryption_key.crn)?.accountId
    return owner !== undefined && owner !== accountId
  })
  const isNew = keys.length === 0 && volumes.data.total_count === 0
  return (
    <Page title="Overview" lead={`Account ${accountId}`}>
      <div className="k-counts">
        <Count to="/volumes" count={volumes.data.total_count} text="volumes" />
        <Count to="/authorizations" count={borrowed.length} text="of them under other accounts’ keys" />
        <Count to="/keys" count={keys.length} text="keys" />
        <Count to="/graph" count={registrations.length} text="resources under our keys" />
        <Count to="/authorizations" count={others.size} text="other accounts under our keys" />
      </div>
      <Section title="Needs attention">
        {attention.length === 0 ? (
          <Empty title="All is well" />
        ) : (
          <ul className="k-attention" aria-label="Needs attention">
            {attention.map((one) => (
              <Item key={`${one.to} ${one.text}`} attention={one} />
            ))}
          </ul>
        )}
      </Section>
      {(isNew || authorizations.data.policies.length === 0) && (
        <Section title="First steps">
          <ol className="k-steps">
            <Step done={keys.length > 0} to="/keys?create=key">
              Create a root key
            </Step>
            <Step done={authorizations.data.policies.length > 0} to="/authorizations?let">
              Let an account’s block storage use it: another one’s, or your own
            </Step>
            <Step done={volumes.data.total_count > 0} to="/volumes?create">
              Create a volume under it, or under a key that another account has sent you
            </Step>
            <Step done={volumes.data.volumes.some((one) => one.volume_attachments.length > 0)} to="/volumes">
              Attach the volume, and open it from your machine
            </Step>
          </ol>
        </Section>
      )}
      {keys.length > 0 && <OverviewRevocations />}
    </Page>
  )
}

const Count = ({ to, count, text }: { readonly to: string; readonly count: number; readonly text: string }) => (
  <Link to={to} className="k-count">
    <span className="k-count__number">{count}</span>
    <span>{text}</span>
  </Link>
)

const Item = ({ attention }: { readonly attention: Attention }) => (
  <li>
    <Status tone={attention.tone}>{attention.what}</Status>
    <Link to={attention.to}>{attention.name}</Link>
    <span className="k-quiet">{attention.text}</span>
  </li>
)

const Step = (props: { readonly done: boolean; readonly to: string; readonly children: ReactNode }) => (
  <li>
    {props.done ? <CheckmarkOutline aria-label="Done" /> : <CircleDash aria-label="To do" />}
    <Link to={props.to}>{props.children}</Link>
    {!props.done && <ArrowRight aria-hidden />}
  </li>
)
