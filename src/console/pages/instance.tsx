// One instance: on or off, and the volumes that it reaches.

import { Breadcrumb, BreadcrumbItem, InlineNotification, Select, SelectItem } from '@carbon/react'
import { useState } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import type { ShownStatus } from '#vpc/instance-state.ts'
import { mayInStatus } from '#vpc/volume-state.ts'
import { call } from '../api/call.ts'
import { pollMs, useAct, useApi } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { CopyText } from '../parts/copy.tsx'
import { Grid } from '../parts/grid.tsx'
import { Empty, Facts, Page, Section } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { Status } from '../parts/status.tsx'
import { instanceTones, instanceWhyNot, timeText } from '#client/words.ts'
import { isInstanceBusy } from './instances.tsx'
import type { Instance } from './instances.tsx'

export function InstancePage() {
  const { id = '' } = useParams()
  const navigate = useNavigate()
  const [deleting, setDeleting] = useState(false)
  const { data: instance, error } = useApi(
    'vpc',
    'getInstance',
    { path: { id } },
    { pollMs: (answer) => (answer && isInstanceBusy(answer) ? pollMs.quick : pollMs.gentle) },
  )
  const act = useAct((session, type: 'start' | 'stop' | 'reboot') =>
    call(session, 'vpc', 'createInstanceAction', { path: { instance_id: id }, body: { type } }),
  )
  const remove = useAct(
    (session) => call(session, 'vpc', 'deleteInstance', { path: { id } }),
    () => void navigate('/instances'),
  )
  if (!instance) {
    return <Page title="Instance">{error && <Problem refusal={error} title="The instance cannot be shown" />}</Page>
  }
  // The contract has `pending`, which only IBM's own machines are in.
  const status = instance.status as ShownStatus
  const startWhyNot =
    instanceWhyNot('start', status) ??
    (instance.startable ? null : (instance.health_reasons[0]?.message ?? 'A volume of it cannot be used.'))
  return (
    <Page
      title={instance.name}
      above={
        <Breadcrumb noTrailingSlash>
          <BreadcrumbItem>
            <Link to="/instances">Instances</Link>
          </BreadcrumbItem>
        </Breadcrumb>
      }
      actions={
        <>
          <Act whyNot={startWhyNot} busy={act.isPending} onClick={() => act.mutate('start')}>
            Start
          </Act>
          <Act whyNot={instanceWhyNot('stop', status)} busy={act.isPending} onClick={() => act.mutate('stop')}>
            Stop
          </Act>
          <Act whyNot={instanceWhyNot('reboot', status)} busy={act.isPending} onClick={() => act.mutate('reboot')}>
            Reboot
          </Act>
          <Act kind="danger--tertiary" whyNot={instanceWhyNot('delete', status)} onClick={() => setDeleting(true)}>
            Delete
          </Act>
        </>
      }
    >
      {act.error && <Problem refusal={act.error} />}
      {instance.status_reasons.map(({ code, message }) => (
        <InlineNotification
          key={code}
          kind="error"
          role="status"
          lowContrast
          hideCloseButton
          title={instance.status}
          subtitle={`${message} (${code})`}
        />
      ))}
      <Facts
        rows={[
          [
            'Status',
            <Status key="status" tone={instanceTones[instance.status]}>
              {instance.status}
            </Status>,
          ],
          ['Zone', instance.zone.name],
          ['Profile', instance.profile.name],
          ['Created', timeText(instance.created_at)],
          instance.image ? ['Image', instance.image.name] : null,
          ['Id', <CopyText key="id" text={instance.id} label="id" />],
        ]}
      />
      <Volumes instance={instance} />
      {deleting && (
        <Confirm
          title={`Delete instance ${instance.name}?`}
          verb="Delete"
          busy={remove.isPending}
          problem={remove.error}
          onConfirm={() => remove.mutate(undefined)}
          onClose={() => setDeleting(false)}
        >
          <p>Volumes that were attached to be deleted with it go too; the others stay.</p>
        </Confirm>
      )}
    </Page>
  )
}

function Volumes({ instance }: { readonly instance: Instance }) {
  const { data } = useApi('vpc', 'listVolumes', { query: { limit: 100, attachment_state: 'unattached' } })
  const fitting = data?.volumes.filter(
    ({ status, zone }) => zone.name === instance.zone.name && mayInStatus('attach', status),
  )
  const [volumeId, setVolumeId] = useState('')
  const attach = useAct(
    (session) =>
      call(session, 'vpc', 'createVolumeAttachment', {
        path: { instance_id: instance.id },
        body: { volume: { id: volumeId } },
      }),
    () => setVolumeId(''),
  )
  const whyNot =
    instanceWhyNot('attach', instance.status as ShownStatus) ?? (volumeId === '' ? 'Choose a volume.' : null)
  return (
    <Section title="Volumes">
      <div className="k-filters">
        <Select
          id="attach-volume"
          labelText="Attach a volume"
          helperText={fitting?.length === 0 ? `No volume in zone ${instance.zone.name} is free.` : ''}
          value={volumeId}
          onChange={(event) => setVolumeId(event.target.value)}
        >
          <SelectItem value="" text="Choose a volume" />
          {fitting?.map((one) => (
            <SelectItem key={one.id} value={one.id} text={`${one.name} (${one.capacity} GB)`} />
          ))}
        </Select>
        <Act whyNot={whyNot} busy={attach.isPending} onClick={() => attach.mutate(undefined)}>
          Attach
        </Act>
      </div>
      {attach.error && <Problem refusal={attach.error} title="The volume was not attached" />}
      <Grid
        label="Attached volumes"
        rows={instance.volume_attachments}
        rowKey={(one) => one.id}
        empty={<Empty title="No volume is attached" />}
        columns={[
          { name: 'Volume', cell: ({ volume }) => <Link to={`/volumes/${volume.id}`}>{volume.name}</Link> },
          { name: 'Attachment', cell: (one) => one.name },
          { name: 'Device', cell: (one) => (one.device ? <code>{one.device.id}</code> : '–') },
        ]}
      />
    </Section>
  )
}
