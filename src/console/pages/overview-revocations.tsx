// How rights to this account's keys ended, and how long it took until nothing was served under them: the figures of each
// cause, and the last ones, with whoever did not say that it had stopped.

import { Grid } from '../parts/grid.tsx'
import type { Column } from '../parts/grid.tsx'
import { KeyName } from '../parts/key-name.tsx'
import { Empty, Section } from '../parts/page.tsx'
import { Status } from '../parts/status.tsx'
import { pollMs, useApi } from '../api/use-api.ts'
import type { Answer } from '#client/operations.ts'
import { causeNames, holderText, revocationStateNames, revocationTones, secondsText } from '#client/revocation-words.ts'
import { shortId, timeText } from '#client/words.ts'

type Revocations = Answer<'keyward', 'listRevocations'>
type Revocation = Revocations['revocations'][number]
type Level = Revocations['service_level'][number]

const shownMax = 10

const levelColumns: readonly Column<Level>[] = [
  { name: 'Cause', tight: true, cell: ({ cause }) => causeNames[cause] },
  { name: 'Times', tight: true, cell: ({ count }) => String(count) },
  { name: 'p50', tight: true, cell: (level) => secondsText(level.p50_seconds) },
  { name: 'p99', tight: true, cell: (level) => secondsText(level.p99_seconds) },
  { name: 'Longest', tight: true, cell: (level) => secondsText(level.max_seconds) },
]

const columns: readonly Column<Revocation>[] = [
  { name: 'When', tight: true, cell: (one) => timeText(one.committed_at) },
  { name: 'Cause', tight: true, cell: ({ cause }) => causeNames[cause] },
  { name: 'Key', tight: true, cell: (one) => <KeyName crn={one.key_crn} /> },
  { name: 'Volumes', tight: true, cell: ({ volumes }) => String(volumes ?? '–') },
  { name: 'Took', tight: true, cell: (one) => secondsText(one.duration_seconds) },
  { name: 'State', cell: (one) => <State revocation={one} /> },
]

export function OverviewRevocations() {
  const { data, error } = useApi(
    'keyward',
    'listRevocations',
    { query: { limit: shownMax } },
    { pollMs: (answer) => (answer?.revocations.some(isUnderWay) ? pollMs.quick : pollMs.gentle) },
  )
  const levels = data?.service_level.filter(({ count }) => count > 0)
  return (
    <Section
      title="Revocations"
      lead="From the moment when the right to a key of this account ended until every disk under it had stopped."
    >
      <Grid
        label="Service level of revocations"
        columns={levelColumns}
        rows={levels}
        rowKey={({ cause }) => cause}
        problem={error}
        empty={<Empty title="No revocation has stopped anything yet" />}
      />
      {data && data.revocations.length > 0 && (
        <div className="k-section">
          <Grid
            label="Last revocations"
            columns={columns}
            rows={data.revocations}
            rowKey={({ id }) => id}
            problem={null}
            empty={null}
          />
        </div>
      )}
    </Section>
  )
}

const isUnderWay = ({ state }: Revocation): boolean => state === 'under-way'

function State({ revocation }: { readonly revocation: Revocation }) {
  const { state, ends_by: endsBy, unacknowledged } = revocation
  return (
    <>
      <Status tone={revocationTones[state]}>{revocationStateNames[state]}</Status>
      {endsBy && unacknowledged.length === 0 && <div className="k-small">over by {timeText(endsBy)} at the latest</div>}
      {unacknowledged.map((holder) => (
        <div key={holder.holder_id} className="k-small">
          <code title={holder.holder_id}>{shortId(holder.holder_id)}</code> {holderText(holder)}
        </div>
      ))}
    </>
  )
}
