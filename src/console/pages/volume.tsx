// One volume: its state and why, its key and whose, where it is attached and how to open it there.

import { Breadcrumb, BreadcrumbItem, Button, InlineNotification, Tag } from '@carbon/react'
import { useState } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { parseCrn } from '#base/crn.ts'
import { call } from '../api/call.ts'
import { pollMs, useAct, useApi, useSession } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { AuditTrail } from '../parts/audit-trail.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { ConnectBox } from '../parts/connect-box.tsx'
import { CopyText } from '../parts/copy.tsx'
import { KeyLeave, useKeyLeave } from '../parts/key-leave.tsx'
import { KeyName } from '../parts/key-name.tsx'
import { Empty, Facts, Page, Section } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { Status } from '../parts/status.tsx'
import { timeText, volumeTones, volumeWhyNot, words } from '#client/words.ts'
import { VolumeAttach } from './volume-attach.tsx'
import { VolumeEdit } from './volume-edit.tsx'
import { VolumeSnapshots } from './volume-snapshots.tsx'
import { isBusy } from './volumes.tsx'
import type { Volume } from './volumes.tsx'

type Doing = 'attach' | 'edit' | 'delete' | null

export function VolumePage() {
  const { id = '' } = useParams()
  const navigate = useNavigate()
  const [doing, setDoing] = useState<Doing>(null)
  const { data: volume, error } = useApi(
    'vpc',
    'getVolume',
    { path: { id } },
    { pollMs: (answer) => (answer && isBusy(answer) ? pollMs.quick : pollMs.gentle) },
  )
  const remove = useAct(
    (session) => call(session, 'vpc', 'deleteVolume', { path: { id } }),
    () => void navigate('/volumes'),
  )
  if (!volume)
    return <Page title="Volume">{error && <Problem refusal={error} title="The volume cannot be shown" />}</Page>
  const isAttached = volume.volume_attachments.length > 0
  const attachWhyNot = isAttached ? 'It is attached already.' : volumeWhyNot('attach', volume.status)
  const deleteWhyNot = isAttached ? 'It is attached; detach it first.' : volumeWhyNot('delete', volume.status)
  return (
    <Page
      title={volume.name}
      above={
        <Breadcrumb noTrailingSlash>
          <BreadcrumbItem>
            <Link to="/volumes">Volumes</Link>
          </BreadcrumbItem>
        </Breadcrumb>
      }
      actions={
        <>
          <Act whyNot={attachWhyNot} onClick={() => setDoing('attach')}>
            Attach
          </Act>
          <Act whyNot={volumeWhyNot('update', volume.status)} onClick={() => setDoing('edit')}>
            Change
          </Act>
          <Act kind="danger--tertiary" whyNot={deleteWhyNot} onClick={() => setDoing('delete')}>
            Delete
          </Act>
        </>
      }
    >
      <Reasons volume={volume} />
      <Facts
        rows={[
          [
            'Status',
            <Status key="status" tone={volumeTones[volume.status]}>
              {words(volume.status)}
            </Status>,
          ],
          ['Size', `${volume.capacity} GB`],
          ['Profile', `${volume.profile.name}, ${volume.iops} IOPS, ${volume.bandwidth} Mbps`],
          ['Zone', volume.zone.name],
          ['Created', timeText(volume.created_at)],
          ['Id', <CopyText key="id" text={volume.id} label="id" />],
          ['CRN', <CopyText key="crn" text={volume.crn} label="CRN" />],
          volume.user_tags.length > 0
            ? [
                'Tags',
                volume.user_tags.map((tag) => (
                  <Tag key={tag} size="sm" type="gray">
                    {tag}
                  </Tag>
                )),
              ]
            : null,
        ]}
      />
      <KeySection volume={volume} />
      <Section title="Attachments" lead="One instance at a time reaches a volume.">
        {volume.volume_attachments.length === 0 ? (
          <Empty title="Not attached">
            <p>Attach it to an instance, which stands for one machine of yours. The machine then opens it over NBD.</p>
          </Empty>
        ) : (
          volume.volume_attachments.map((attachment) => (
            <ConnectBox key={attachment.id} volume={volume} attachment={attachment} />
          ))
        )}
      </Section>
      <VolumeSnapshots volume={volume} />
      <AuditTrail targetId={volume.crn} />
      {doing === 'attach' && <VolumeAttach volume={volume} onClose={() => setDoing(null)} />}
      {doing === 'edit' && <VolumeEdit volume={volume} onClose={() => setDoing(null)} />}
      {doing === 'delete' && (
        <Confirm
          title={`Delete volume ${volume.name}?`}
          verb="Delete"
          busy={remove.isPending}
          problem={remove.error}
          onConfirm={() => remove.mutate(undefined)}
          onClose={() => setDoing(null)}
        >
          <p>Its data and its wrapped key are destroyed. Nothing brings them back.</p>
        </Confirm>
      )}
    </Page>
  )
}

function Reasons({ volume }: { readonly volume: Volume }) {
  if (volume.status_reasons.length === 0) return null
  return (
    <>
      {volume.status_reasons.map(({ code, message }) => (
        <InlineNotification
          key={code}
          kind="error"
          role="status"
          lowContrast
          hideCloseButton
          title={`${words(volume.status).charAt(0).toUpperCase()}${words(volume.status).slice(1)}`}
          subtitle={`${message} (${code})`}
        />
      ))}
    </>
  )
}

function KeySection({ volume }: { readonly volume: Volume }) {
  const { accountId } = useSession()
  const crn = volume.encryption_key?.crn
  const owner = crn ? parseCrn(crn)?.accountId : undefined
  const leave = useKeyLeave(crn ?? '')
  const [shown, setShown] = useState(false)
  const isForeign = owner !== undefined && owner !== accountId
  return (
    <Section title="Root key">
      <Facts
        rows={[
          ['Key', <KeyName key="key" crn={crn} />],
          isForeign ? ['Owner', <CopyText key="owner" text={owner} label="account id" />] : null,
          crn ? ['CRN', <CopyText key="crn" text={crn} label="CRN of the key" />] : null,
        ]}
      />
      {isForeign && (
        <p className="k-note">
          Account {owner} owns this key. When it disables or deletes the key, or withdraws the authorization, this
          volume stops: at rest, and under running I/O.
        </p>
      )}
      {crn && (leave.state === 'denied' || shown) && <KeyLeave leave={leave} />}
      {crn && leave.state !== 'denied' && !shown && (
        <Button kind="ghost" size="sm" onClick={() => setShown(true)}>
          Is it still authorized?
        </Button>
      )}
    </Section>
  )
}
