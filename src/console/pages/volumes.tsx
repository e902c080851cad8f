// All volumes of the account, as the API lists them: its filters, its pages.

import { Button, Select, SelectItem } from '@carbon/react'
import { Add } from '@carbon/icons-react'
import { Link, useSearchParams } from 'react-router'
import type { Answer } from '#client/operations.ts'
import { pollMs, useApi } from '../api/use-api.ts'
import { Grid } from '../parts/grid.tsx'
import type { Column } from '../parts/grid.tsx'
import { KeyName } from '../parts/key-name.tsx'
import { NameSearch } from '../parts/name-search.tsx'
import { Empty, Page } from '../parts/page.tsx'
import { nextStart, Pages } from '../parts/pages.tsx'
import { Status } from '../parts/status.tsx'
import { useFilters } from '../parts/filters.ts'
import { timeText, volumeTones, words } from '#client/words.ts'
import { VolumeCreate } from './volume-create.tsx'

export type Volume = Answer<'vpc', 'getVolume'>

const columns: readonly Column<Volume>[] = [
  { name: 'Name', tight: true, cell: (volume) => <Link to={`/volumes/${volume.id}`}>{volume.name}</Link> },
  {
    name: 'Status',
    cell: (volume) => (
      <>
        <Status tone={volumeTones[volume.status]}>{words(volume.status)}</Status>
        {volume.status_reasons.map(({ code, message }) => (
          <div key={code} className="k-small">
            {message}
          </div>
        ))}
      </>
    ),
  },
  { name: 'Size', tight: true, cell: (volume) => `${volume.capacity} GB` },
  { name: 'Root key', cell: (volume) => <KeyName crn={volume.encryption_key?.crn} /> },
  {
    name: 'Attached to',
    tight: true,
    cell: ({ volume_attachments: [first] }) =>
      first ? <Link to={`/instances/${first.instance.id}`}>{first.instance.name}</Link> : '–',
  },
  { name: 'Created', tight: true, cell: (volume) => timeText(volume.created_at) },
]

/** Something is on its way, and whoever looks waits for it. */
export const isBusy = (volume: Volume): boolean => volumeTones[volume.status] === 'busy'

export function VolumesPage() {
  const [search, setSearch] = useSearchParams()
  const filters = useFilters(['name', 'encryption', 'attachment_state', 'start'])
  const { name, encryption, attachment_state: attachmentState, start } = filters.values
  const { data, error } = useApi(
    'vpc',
    'listVolumes',
    {
      query: {
        limit: 25,
        ...(name && { name }),
        ...(start && { start }),
        ...((encryption === 'user_managed' || encryption === 'provider_managed') && { encryption }),
        ...((attachmentState === 'attached' || attachmentState === 'unattached') && {
          attachment_state: attachmentState,
        }),
      },
    },
    { pollMs: (answer) => (answer?.volumes.some(isBusy) ? pollMs.quick : pollMs.gentle) },
  )
  const creating = search.has('create')
  const setCreating = (open: boolean): void => setSearch(open ? { create: '' } : {})
  const create = (
    <Button renderIcon={Add} onClick={() => setCreating(true)}>
      Create volume
    </Button>
  )
  return (
    <Page
      title="Volumes"
      lead="Disks of this account. Each is encrypted under a root key: the provider’s, one of this account, or another account’s."
      actions={create}
    >
      <div className="k-filters" role="search">
        <NameSearch value={name} onChange={(wanted) => filters.set({ name: wanted })} />
        <Select
          id="encryption"
          labelText="Encryption"
          size="md"
          value={encryption ?? ''}
          onChange={(event) => filters.set({ encryption: event.target.value })}
        >
          <SelectItem value="" text="Any root key" />
          <SelectItem value="user_managed" text="A customer’s key" />
          <SelectItem value="provider_managed" text="The provider’s key" />
        </Select>
        <Select
          id="attachment"
          labelText="Attachment"
          size="md"
          value={attachmentState ?? ''}
          onChange={(event) => filters.set({ attachment_state: event.target.value })}
        >
          <SelectItem value="" text="Attached or not" />
          <SelectItem value="attached" text="Attached" />
          <SelectItem value="unattached" text="Not attached" />
        </Select>
      </div>
      <Grid
        label="Volumes"
        columns={columns}
        rows={data?.volumes}
        rowKey={(volume) => volume.id}
        problem={error}
        empty={
          filters.any ? (
            <Empty
              title="No volume is like that"
              action={
                <Button kind="tertiary" onClick={filters.clear}>
                  Show all
                </Button>
              }
            />
          ) : (
            <Empty title="No volumes yet" action={create}>
              <p>
                A volume is a disk over NBD. Create one, attach it to an instance, and open it from your own machine
                with the command that the console then shows.
              </p>
            </Empty>
          )
        }
      />
      <Pages
        total={data?.total_count}
        shown={data?.volumes.length}
        next={nextStart(data?.next)}
        start={start}
        onTo={(to) => filters.set({ start: to })}
      />
      {creating && <VolumeCreate onClose={() => setCreating(false)} />}
    </Page>
  )
}
