// One snapshot: whose key it lies under, and the volumes that can be made of it.

import { Breadcrumb, BreadcrumbItem, ProgressBar } from '@carbon/react'
import { useState } from 'react'
import { Link, useNavigate, useParams } from 'react-router'
import { call } from '../api/call.ts'
import { pollMs, useAct, useApi } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { Confirm } from '../parts/confirm.tsx'
import { CopyText } from '../parts/copy.tsx'
import { KeyName } from '../parts/key-name.tsx'
import { Facts, Page } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { snapshotWhyNot, timeText } from '#client/words.ts'
import { isSnapshotBusy, SnapshotState } from './snapshots.tsx'
import { VolumeCreate } from './volume-create.tsx'

export function SnapshotPage() {
  const { id = '' } = useParams()
  const navigate = useNavigate()
  const [doing, setDoing] = useState<'restore' | 'delete' | null>(null)
  const { data: snapshot, error } = useApi(
    'vpc',
    'getSnapshot',
    { path: { id } },
    { pollMs: (answer) => (answer && isSnapshotBusy(answer) ? pollMs.quick : pollMs.gentle) },
  )
  const remove = useAct(
    (session) => call(session, 'vpc', 'deleteSnapshot', { path: { id } }),
    () => void navigate('/snapshots'),
  )
  if (!snapshot) {
    return <Page title="Snapshot">{error && <Problem refusal={error} title="The snapshot cannot be shown" />}</Page>
  }
  const { lifecycle_state: state, source_volume: volume } = snapshot
  return (
    <Page
      title={snapshot.name}
      above={
        <Breadcrumb noTrailingSlash>
          <BreadcrumbItem>
            <Link to="/snapshots">Snapshots</Link>
          </BreadcrumbItem>
        </Breadcrumb>
      }
      actions={
        <>
          <Act whyNot={snapshotWhyNot('restore', state)} onClick={() => setDoing('restore')}>
            Create volume from it
          </Act>
          <Act
            kind="danger--tertiary"
            whyNot={snapshotWhyNot('delete', state) ?? (snapshot.deletable ? null : 'A volume is being made of it.')}
            onClick={() => setDoing('delete')}
          >
            Delete
          </Act>
        </>
      }
    >
      {state === 'pending' && <ProgressBar label="Being captured" value={snapshot.progress} />}
      <Facts
        rows={[
          ['State', <SnapshotState key="state" snapshot={snapshot} />],
          [
            'Of volume',
            volume.deleted ? (
              `${volume.name} (deleted)`
            ) : (
              <Link key="volume" to={`/volumes/${volume.id}`}>
                {volume.name}
              </Link>
            ),
          ],
          ['Size', `${snapshot.minimum_capacity} GB, ${snapshot.size} GB of it kept`],
          ['Captured', timeText(snapshot.captured_at)],
          ['Root key', <KeyName key="key" crn={snapshot.encryption_key?.crn} />],
          ['Bootable', snapshot.bootable ? 'yes' : 'no'],
          ['Id', <CopyText key="id" text={snapshot.id} label="id" />],
          ['CRN', <CopyText key="crn" text={snapshot.crn} label="CRN" />],
        ]}
      />
      {doing === 'restore' && <VolumeCreate from={snapshot} onClose={() => setDoing(null)} />}
      {doing === 'delete' && (
        <Confirm
          title={`Delete snapshot ${snapshot.name}?`}
          verb="Delete"
          busy={remove.isPending}
          problem={remove.error}
          onConfirm={() => remove.mutate(undefined)}
          onClose={() => setDoing(null)}
        >
          <p>Volumes that were made of it stay.</p>
        </Confirm>
      )}
    </Page>
  )
}
