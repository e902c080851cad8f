// Both sides of the mission: whom this account lets use its keys, and whose keys it uses.

import { Button, Tab, TabList, TabPanel, TabPanels, Tabs } from '@carbon/react'
import { Add } from '@carbon/icons-react'
import { useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import { call } from '../api/call.ts'
import { useAct, useApi, useSession } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { reachOf, serviceNames, sourceOf } from '#client/authorization.ts'
import type { Policy } from '#client/authorization.ts'
import { Confirm } from '../parts/confirm.tsx'
import { Grid } from '../parts/grid.tsx'
import { useKeyManagers } from '../parts/key-managers.ts'
import { Empty, Page } from '../parts/page.tsx'
import { shortId, timeText } from '#client/words.ts'
import { Borrowed } from './authorizations-borrowed.tsx'
import { ImpactPreview } from './key-impact.tsx'
import { LetUse } from './authorization-create.tsx'

export function AuthorizationsPage() {
  const [search, setSearch] = useSearchParams()
  const letting = search.has('let')
  const create = (
    <Button renderIcon={Add} onClick={() => setSearch({ let: '' })}>
      Let another account use a key
    </Button>
  )
  return (
    <Page
      title="Authorizations"
      lead="A key of one account protects volumes of another when the key’s account lets the other’s block storage use it. The key’s account can end that at any time."
      actions={create}
    >
      <Tabs>
        <TabList aria-label="Direction">
          <Tab>Others use ours</Tab>
          <Tab>We use others’</Tab>
        </TabList>
        <TabPanels>
          <TabPanel>
            <Lent create={create} />
          </TabPanel>
          <TabPanel>
            <Borrowed />
          </TabPanel>
        </TabPanels>
      </Tabs>
      {letting && (
        <LetUse instanceId={search.get('instance')} keyId={search.get('key')} onClose={() => setSearch({})} />
      )}
    </Page>
  )
}

function Lent({ create }: { readonly create: React.ReactNode }) {
  const { accountId } = useSession()
  const [ending, setEnding] = useState<Policy | null>(null)
  const { data, error } = useApi('iam', 'listPolicies', {
    query: { account_id: accountId, type: 'authorization', format: 'include_last_permit' },
  })
  const remove = useAct(
    (session, policy: Policy) => call(session, 'iam', 'deletePolicy', { path: { id: policy.id } }),
    () => setEnding(null),
  )
  return (
    <>
      <Grid
        label="Authorizations of this account"
        rows={data?.policies}
        rowKey={(policy) => policy.id}
        problem={error}
        empty={
          <Empty title="Nobody is authorized" action={create}>
            <p>
              Tell another account your key’s CRN, and let its block storage use the key: that key alone, to wrap and
              unwrap, and nothing else.
            </p>
          </Empty>
        }
        columns={[
          { name: 'Who', cell: (policy) => <Who policy={policy} /> },
          { name: 'May use', cell: (policy) => <What policy={policy} /> },
          { name: 'Role', cell: (policy) => policy.roles.map((role) => role.display_name).join(', ') },
          {
            name: 'Last used',
            cell: (policy) =>
              policy.last_permit_at ? (
                <>
                  {timeText(policy.last_permit_at)}
                  {policy.last_permit_frequency !== undefined && (
                    <div className="k-small">{policy.last_permit_frequency} times</div>
                  )}
                </>
              ) : (
                'never'
              ),
          },
          { name: 'Since', cell: (policy) => timeText(policy.created_at) },
          {
            name: 'Actions',
            quiet: true,
            cell: (policy) => (
              <Act kind="danger--ghost" whyNot={null} onClick={() => setEnding(policy)}>
                Withdraw
              </Act>
            ),
          },
        ]}
      />
      {ending && (
        <Confirm
          title="Withdraw this authorization?"
          verb="Withdraw"
          busy={remove.isPending}
          problem={remove.error}
          onConfirm={() => remove.mutate(ending)}
          onClose={() => setEnding(null)}
        >
          <p>
            Volumes that lie under the key by this authorization alone stop at once, at rest and under running I/O.
            Giving it back starts them again.
          </p>
          <WithdrawalPreview policy={ending} />
        </Confirm>
      )}
    </>
  )
}

/** Foreseen for one key; of an instance or more, the keys' own pages tell. */
function WithdrawalPreview({ policy }: { readonly policy: Policy }) {
  const { instanceId, keyId } = reachOf(policy)
  if (!instanceId || !keyId)
    return (
      <p className="k-note">
        It reaches: <What policy={policy} />.
      </p>
    )
  return <ImpactPreview instanceId={instanceId} id={keyId} action="remove-authorization" policyId={policy.id} />
}

function Who({ policy }: { readonly policy: Policy }) {
  const { accountId } = useSession()
  const source = sourceOf(policy)
  return (
    <>
      {serviceNames[source.serviceName] ?? source.serviceName}
      <div className="k-small" title={source.accountId}>
        {source.accountId === accountId ? 'of this account' : `of account ${source.accountId || 'any'}`}
      </div>
    </>
  )
}

function What({ policy }: { readonly policy: Policy }) {
  const { instances } = useKeyManagers()
  const { serviceName = 'any service', instanceId, keyRing, keyId } = reachOf(policy)
  const instance = instances?.find((one) => one.guid === instanceId)?.name ?? (instanceId && shortId(instanceId))
  if (keyId && instanceId) return <Link to={`/keys/${instanceId}/${keyId}`}>key {shortId(keyId)}</Link>
  if (keyId) return <span title={keyId}>key {shortId(keyId)}</span>
  if (keyRing) return `keys of ring ${keyRing}${instance ? ` in ${instance}` : ''}`
  if (instanceId) return <Link to={`/keys?instance=${instanceId}`}>all keys of {instance}</Link>
  return `everything of ${serviceNames[serviceName] ?? serviceName}`
}
