// Instances: each stands for one machine of the user's own, and holds the volumes that it reaches.

import { Button, Select, SelectItem, TextInput } from '@carbon/react'
import { Add } from '@carbon/icons-react'
import { useState } from 'react'
import { Link, useNavigate, useSearchParams } from 'react-router'
import { call } from '../api/call.ts'
import type { Answer } from '#client/operations.ts'
import { pollMs, useAct, useApi } from '../api/use-api.ts'
import { useFilters } from '../parts/filters.ts'
import { Grid } from '../parts/grid.tsx'
import type { Column } from '../parts/grid.tsx'
import { NameSearch } from '../parts/name-search.tsx'
import { Empty, Page } from '../parts/page.tsx'
import { nextStart, Pages } from '../parts/pages.tsx'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { Status } from '../parts/status.tsx'
import { instanceTones, timeText } from '#client/words.ts'
import { useZones } from '../parts/zones.ts'

export type Instance = Answer<'vpc', 'getInstance'>

export const isInstanceBusy = (instance: Instance): boolean => instanceTones[instance.status] === 'busy'

const columns: readonly Column<Instance>[] = [
  { name: 'Name', tight: true, cell: (instance) => <Link to={`/instances/${instance.id}`}>{instance.name}</Link> },
  {
    name: 'Status',
    cell: (instance) => (
      <>
        <Status tone={instanceTones[instance.status]}>{instance.status}</Status>
        {instance.status_reasons.map(({ code, message }) => (
          <div key={code} className="k-small">
            {message}
          </div>
        ))}
      </>
    ),
  },
  { name: 'Zone', tight: true, cell: (instance) => instance.zone.name },
  {
    name: 'Volumes',
    cell: (instance) =>
      instance.volume_attachments.length === 0
        ? '–'
        : instance.volume_attachments.map(({ id, volume }) => (
            <div key={id}>
              <Link to={`/volumes/${volume.id}`}>{volume.name}</Link>
            </div>
          )),
  },
  { name: 'Created', tight: true, cell: (instance) => timeText(instance.created_at) },
]

export function InstancesPage() {
  const [search, setSearch] = useSearchParams()
  const filters = useFilters(['name', 'start'])
  const { name, start } = filters.values
  const { data, error } = useApi(
    'vpc',
    'listInstances',
    { query: { limit: 25, ...(name && { name }), ...(start && { start }) } },
    { pollMs: (answer) => (answer?.instances.some(isInstanceBusy) ? pollMs.quick : pollMs.gentle) },
  )
  const create = (
    <Button renderIcon={Add} onClick={() => setSearch({ create: '' })}>
      Create instance
    </Button>
  )
  return (
    <Page
      title="Instances"
      lead="An instance stands for one machine of yours: volumes are attached to it, and the machine opens them over NBD while it is started."
      actions={create}
    >
      <div className="k-filters" role="search">
        <NameSearch value={name} onChange={(wanted) => filters.set({ name: wanted })} />
      </div>
      <Grid
        label="Instances"
        columns={columns}
        rows={data?.instances}
        rowKey={(instance) => instance.id}
        problem={error}
        empty={
          filters.any ? (
            <Empty title="No instance has that name" />
          ) : (
            <Empty title="No instances yet" action={create}>
              <p>Attaching a volume makes one too, if you like.</p>
            </Empty>
          )
        }
      />
      <Pages
        total={data?.total_count}
        shown={data?.instances.length}
        next={nextStart(data?.next)}
        start={start}
        onTo={(to) => filters.set({ start: to })}
      />
      {search.has('create') && <InstanceCreate onClose={() => setSearch({})} />}
    </Page>
  )
}

function InstanceCreate({ onClose }: { readonly onClose: () => void }) {
  const navigate = useNavigate()
  const zones = useZones()
  const profiles = useApi('vpc', 'listInstanceProfiles', {}).data?.profiles ?? []
  const [name, setName] = useState('')
  const [zone, setZone] = useState('')
  const [profile, setProfile] = useState('')
  const [imageId, setImageId] = useState('')
  const images = useApi('vpc', 'listImages', { query: { limit: 100 } }).data?.images ?? []
  const zoneName = zone || zones[0] || ''
  const create = useAct(
    (session) =>
      call(session, 'vpc', 'createInstance', {
        body: {
          zone: { name: zoneName },
          ...(name && { name }),
          ...(profile && { profile: { name: profile } }),
          ...(imageId && { image: { id: imageId } }),
        },
      }),
    (instance) => void navigate(`/instances/${instance.id}`),
  )
  return (
    <Panel
      title="Create instance"
      onClose={onClose}
      foot={
        <>
          <Button kind="secondary" onClick={onClose}>
            Cancel
          </Button>
          <Button disabled={create.isPending || zoneName === ''} onClick={() => create.mutate(undefined)}>
            {create.isPending ? 'Creating …' : 'Create'}
          </Button>
        </>
      }
    >
      <div className="k-form">
        <TextInput
          id="instance-name"
          labelText="Name"
          helperText="Left empty, one is made up."
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <Select id="instance-zone" labelText="Zone" value={zoneName} onChange={(event) => setZone(event.target.value)}>
          {zones.map((one) => (
            <SelectItem key={one} value={one} text={one} />
          ))}
        </Select>
        <Select
          id="instance-profile"
          labelText="Profile"
          helperText="It bounds what the volumes of the instance may do together."
          value={profile}
          onChange={(event) => setProfile(event.target.value)}
        >
          <SelectItem value="" text="The default" />
          {profiles.map((one) => (
            <SelectItem key={one.name} value={one.name} text={one.name} />
          ))}
        </Select>
        <Select
          id="instance-image"
          labelText="Image"
          helperText="With one, a boot volume is made too."
          value={imageId}
          onChange={(event) => setImageId(event.target.value)}
        >
          <SelectItem value="" text="None: data volumes only" />
          {images.map((one) => (
            <SelectItem key={one.id} value={one.id} text={one.name} />
          ))}
        </Select>
        {create.error && <Problem refusal={create.error} title="The instance was not created" />}
      </div>
    </Panel>
  )
}
