// Versions of a key, and how far what lies under it has come with the newest: rotating re-wraps in the background.

import { ProgressBar } from '@carbon/react'
import { pollMs, useApi } from '../api/use-api.ts'
import { Grid } from '../parts/grid.tsx'
import { inInstance } from '#client/key-manager.ts'
import type { Key } from '#client/key-manager.ts'
import { Problem } from '../parts/problem.tsx'
import { plural, timeText } from '#client/words.ts'

export function Versions({ instanceId, listed: key }: { readonly instanceId: string; readonly listed: Key }) {
  const { data, error } = useApi(
    'keyward',
    'getKeyRotation',
    { headers: inInstance(instanceId), path: { id: key.id } },
    { pollMs: (answer) => (answer && !answer.converged ? pollMs.quick : pollMs.audited) },
  )
  if (error && !data) return <Problem refusal={error} title="The versions cannot be shown" />
  return (
    <>
      {data && data.registrations > 0 && (
        <ProgressBar
          label="Resources on the newest version"
          helperText={
            data.converged
              ? `All ${plural(data.registrations, 'resource')} lie under the newest version.`
              : `${plural(data.remaining, 'resource')} of ${data.registrations} to follow${
                  data.estimated_completion ? `, until about ${timeText(data.estimated_completion)}` : ''
                }.`
          }
          value={Math.round(data.progress * 100)}
          status={data.converged ? 'finished' : 'active'}
        />
      )}
      <Grid
        label="Versions"
        rows={data?.versions}
        rowKey={(version) => version.id}
        empty={<p>No versions.</p>}
        columns={[
          {
            name: 'Version',
            cell: (version) => (
              <>
                <code>{version.id}</code> {version.id === data?.newest_version.id && '(newest)'}
              </>
            ),
          },
          { name: 'Created', cell: (version) => timeText(version.creation_date) },
          { name: 'Resources under it', cell: (version) => String(version.registrations) },
        ]}
      />
    </>
  )
}
