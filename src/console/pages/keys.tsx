// The account's key managers, and what lies in one of them: keys, rings, and the policies that hold for all of its keys.

import { Button, Search, Select, SelectItem, Tab, TabList, TabPanel, TabPanels, Tabs, Tag } from '@carbon/react'
import { Add } from '@carbon/icons-react'
import { Link, useSearchParams } from 'react-router'
import { stateNumbers } from '#kms/key-state.ts'
import type { KeyState } from '#kms/key-state.ts'
import { useApi } from '../api/use-api.ts'
import { useFilters } from '../parts/filters.ts'
import { Grid } from '../parts/grid.tsx'
import type { Column } from '../parts/grid.tsx'
import { inInstance, isRoot } from '#client/key-manager.ts'
import { useKeyManagers } from '../parts/key-managers.ts'
import type { Key } from '#client/key-manager.ts'
import { Empty, Page } from '../parts/page.tsx'
import { Pages } from '../parts/pages.tsx'
import { Problem } from '../parts/problem.tsx'
import { Status } from '../parts/status.tsx'
import { keyStateNames, keyStateOf, keyTones, timeText } from '#client/words.ts'
import { InstanceCreate } from './key-instance-create.tsx'
import { InstancePolicies } from './key-instance-policies.tsx'
import { KeyCreate } from './key-create.tsx'
import { Rings } from './key-rings.tsx'

const pageRows = 25

const columns = (instanceId: string): readonly Column<Key>[] => [
  { name: 'Name', cell: (key) => <Link to={`/keys/${instanceId}/${key.id}`}>{key.name ?? key.id}</Link> },
  {
    name: 'State',
    cell: (key) => {
      const state = keyStateOf(key.state)
      return <Status tone={keyTones[state]}>{keyStateNames[state]}</Status>
    },
  },
  {
    name: 'Kind',
    cell: (key) => (
      <>
        {isRoot(key) ? 'Root key' : 'Standard key'}
        {key.imported && (
          <Tag size="sm" type="gray">
            imported
          </Tag>
        )}
      </>
    ),
  },
  { name: 'Ring', cell: (key) => key.keyRingID ?? 'default' },
  { name: 'Last rotated', cell: (key) => timeText(key.lastRotateDate) },
  { name: 'Created', tight: true, cell: (key) => timeText(key.creationDate) },
]

export function KeysPage() {
  const [search] = useSearchParams()
  const filters = useFilters(['instance', 'state', 'search', 'start', 'create'])
  const { instances, error } = useKeyManagers()
  const instanceId = filters.values.instance ?? instances?.[0]?.guid
  const creating = search.get('create')
  return (
    <Page
      title="Keys"
      lead="Root keys wrap the data keys of volumes, of this account and of those that it authorizes. Whoever owns the root key decides."
      actions={
        instanceId && (
          <Button renderIcon={Add} onClick={() => filters.set({ create: 'key' })}>
            Create key
          </Button>
        )
      }
    >
      {error && <Problem refusal={error} />}
      {instances?.length === 0 && (
        <Empty
          title="No key manager yet"
          action={<Button onClick={() => filters.set({ create: 'instance' })}>Create one</Button>}
        >
          <p>Keys lie in instances of the key manager. Access can be given to an instance as a whole, or key by key.</p>
        </Empty>
      )}
      {instances && instances.length > 0 && instanceId && (
        <>
          <div className="k-filters">
            <Select
              id="instance"
              labelText="Key manager"
              value={instanceId}
              onChange={(event) => filters.set({ instance: event.target.value })}
            >
              {instances.map((one) => (
                <SelectItem key={one.guid} value={one.guid} text={one.name} />
              ))}
            </Select>
            <Button kind="ghost" onClick={() => filters.set({ create: 'instance' })}>
              Create another key manager
            </Button>
          </div>
          <Tabs key={instanceId}>
            <TabList aria-label="What lies in the key manager">
              <Tab>Keys</Tab>
              <Tab>Rings</Tab>
              <Tab>Policies</Tab>
            </TabList>
            <TabPanels>
              <TabPanel>
                <KeyList instanceId={instanceId} />
              </TabPanel>
              <TabPanel>
                <Rings instanceId={instanceId} />
              </TabPanel>
              <TabPanel>
                <InstancePolicies instanceId={instanceId} />
              </TabPanel>
            </TabPanels>
          </Tabs>
        </>
      )}
      {creating === 'instance' && <InstanceCreate onClose={() => filters.set({ create: '' })} />}
      {creating !== null && creating !== 'instance' && instanceId && (
        <KeyCreate instanceId={instanceId} onClose={() => filters.clear()} />
      )}
    </Page>
  )
}

function KeyList({ instanceId }: { readonly instanceId: string }) {
  const filters = useFilters(['state', 'search', 'start'])
  const { state, search, start } = filters.values
  const offset = Number(start ?? 0)
  const { data, error } = useApi('kms', 'listKeys', {
    headers: inInstance(instanceId),
    query: {
      limit: pageRows,
      offset,
      totalCount: true,
      ...(state && { state: [String(stateNumbers[state as KeyState] ?? state)] }),
      ...(search && { search }),
    },
  })
  const rows = data?.resources
  const total = data?.metadata.totalCount
  const more = total !== undefined && offset + pageRows < total
  return (
    <>
      <div className="k-filters" role="search">
        <Search
          size="md"
          labelText="Name, alias or id"
          placeholder="Name, alias or id"
          value={search ?? ''}
          onChange={(event) => filters.set({ search: event.target.value })}
        />
        <Select
          id="state"
          labelText="State"
          size="md"
          value={state ?? ''}
          onChange={(event) => filters.set({ state: event.target.value })}
        >
          <SelectItem value="" text="All but deleted" />
          {(['active', 'suspended', 'deactivated', 'destroyed'] as const).map((one) => (
            <SelectItem key={one} value={one} text={keyStateNames[one]} />
          ))}
        </Select>
      </div>
      <Grid
        label="Keys"
        columns={columns(instanceId)}
        rows={rows}
        rowKey={(key) => key.id}
        problem={error}
        empty={
          filters.any ? (
            <Empty title="No key is like that" />
          ) : (
            <Empty
              title="No keys yet"
              action={
                <Link className="cds--btn cds--btn--primary" to={`/keys?instance=${instanceId}&create=key`}>
                  Create key
                </Link>
              }
            >
              <p>
                Create a root key, encrypt volumes with it, and let other accounts do the same. Disable it, and all of
                these volumes stop.
              </p>
            </Empty>
          )
        }
      />
      <Pages
        total={total}
        shown={rows?.length}
        start={start}
        next={more ? String(offset + pageRows) : undefined}
        onTo={(to) => filters.set({ start: to })}
      />
    </>
  )
}
