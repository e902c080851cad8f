// Everything that lies under a key, in whichever account: the key's owner sees all of it.

import { Tag } from '@carbon/react'
import { Link, useSearchParams } from 'react-router'
import { useApi, useSession } from '../api/use-api.ts'
import { Grid } from '../parts/grid.tsx'
import type { Column } from '../parts/grid.tsx'
import { inInstance } from '../parts/key-managers.ts'
import { Empty } from '../parts/page.tsx'
import { Pages } from '../parts/pages.tsx'
import { ResourceName } from '../parts/resource-name.tsx'
import { shortId, timeText } from '../parts/words.ts'
import { ofAccount } from '../parts/impact.ts'
import type { Registration } from './key.tsx'

const pageRows = 50

export function AssociatedResources({ instanceId, id }: { readonly instanceId: string; readonly id: string }) {
  const { accountId } = useSession()
  const [search, setSearch] = useSearchParams()
  const offset = Number(search.get('offset') ?? 0)
  const { data, error } = useApi('kms', 'listKeyRegistrations', {
    headers: inInstance(instanceId),
    path: { id },
    query: { limit: pageRows, offset, totalCount: true },
  })
  const total = data?.metadata.totalCount
  const columns: readonly Column<Registration>[] = [
    { name: 'Resource', tight: true, cell: ({ resourceCrn }) => <ResourceName crn={resourceCrn} /> },
    {
      name: 'Account',
      cell: ({ resourceCrn }) => {
        const account = ofAccount(resourceCrn)
        return account === accountId ? (
          'this account'
        ) : (
          <Tag type="purple" size="sm" title={account}>
            {shortId(account)}
          </Tag>
        )
      },
    },
    {
      name: 'Key version',
      cell: ({ keyVersion }) => <code title={keyVersion.id}>{shortId(keyVersion.id)}</code>,
    },
    { name: 'Prevents deletion', cell: ({ preventKeyDeletion }) => (preventKeyDeletion ? 'yes' : 'no') },
    { name: 'Since', tight: true, cell: ({ creationDate }) => timeText(creationDate) },
  ]
  return (
    <>
      <Grid
        label="Associated resources"
        columns={columns}
        rows={data?.resources}
        rowKey={(one) => one.resourceCrn}
        problem={error}
        empty={
          <Empty title="Nothing lies under this key">
            <p>
              Volumes of this account can use it at once.{' '}
              <Link to="/authorizations?let">Let another account use it</Link>, and its volumes appear here as soon as
              they exist.
            </p>
          </Empty>
        }
      />
      <Pages
        total={total}
        shown={data?.resources.length}
        start={offset > 0 ? String(offset) : undefined}
        next={total !== undefined && offset + pageRows < total ? String(offset + pageRows) : undefined}
        onTo={(to) => setSearch({ offset: to })}
      />
    </>
  )
}
