// Everything that lies under a key, in whichever account: the key's owner sees all of it, and how it is used.

import { Tag } from '@carbon/react'
import { Link, useSearchParams } from 'react-router'
import type { Answer } from '#client/operations.ts'
import { useApi, useSession } from '../api/use-api.ts'
import { Grid } from '../parts/grid.tsx'
import type { Column } from '../parts/grid.tsx'
import { inInstance } from '#client/key-manager.ts'
import { Empty } from '../parts/page.tsx'
import { Pages } from '../parts/pages.tsx'
import { ResourceName } from '../parts/resource-name.tsx'
import { Status } from '../parts/status.tsx'
import { shortId, timeText, words } from '#client/words.ts'

type Use = Answer<'transparency', 'listKeyUses'>['uses'][number]

const columns = (own: string): readonly Column<Use>[] => [
  { name: 'Resource', tight: true, cell: (use) => <ResourceName crn={use.resource_crn} /> },
  {
    name: 'Account',
    cell: ({ account_id: account }) =>
      account === own ? (
        'this account'
      ) : (
        <Tag type="purple" size="sm" title={account}>
          {shortId(account)}
        </Tag>
      ),
  },
  { name: 'Size', tight: true, cell: (use) => (use.size_gb === null ? '–' : `${use.size_gb} GB`) },
  { name: 'Status', cell: (use) => (use.status === null ? '–' : words(use.status)) },
  {
    name: 'In use',
    cell: (use) => (use.open ? <Status tone="good">open now</Status> : use.attached ? 'attached' : 'no'),
  },
  { name: 'Key last asked for', cell: (use) => timeText(use.last_unwrapped_at ?? undefined) },
  { name: 'Since', cell: (use) => timeText(use.registered_at) },
]

export function AssociatedResources({ instanceId, id }: { readonly instanceId: string; readonly id: string }) {
  const { accountId } = useSession()
  const [search, setSearch] = useSearchParams()
  const start = search.get('start') ?? undefined
  const { data, error } = useApi('transparency', 'listKeyUses', {
    headers: inInstance(instanceId),
    path: { id },
    query: { limit: 50, ...(start && { start }) },
  })
  return (
    <>
      <Grid
        label="Associated resources"
        columns={columns(accountId)}
        rows={data?.uses}
        rowKey={(use) => use.resource_crn}
        problem={error}
        empty={
          <Empty title="Nothing lies under this key">
            <p>
              <Link to={`/authorizations?let&instance=${instanceId}&key=${id}`}>Let an account use it</Link>, another
              one or your own: its volumes appear here as soon as they exist.
            </p>
          </Empty>
        }
      />
      <Pages
        total={undefined}
        shown={data?.uses.length}
        start={start}
        next={data?.next?.start}
        onTo={(to) => setSearch({ start: to })}
      />
    </>
  )
}
