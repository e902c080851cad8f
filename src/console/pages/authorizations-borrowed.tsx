// Keys of other accounts that this account's resources depend on, how each stands, and by which authorization.

import { Link } from 'react-router'
import type { Answer } from '#client/operations.ts'
import { useApi } from '../api/use-api.ts'
import { serviceNames } from '#client/authorization.ts'
import { Grid } from '../parts/grid.tsx'
import { KeyName } from '../parts/key-name.tsx'
import { Empty } from '../parts/page.tsx'
import { Status } from '../parts/status.tsx'
import { plural, timeText } from '#client/words.ts'

type ForeignKey = Answer<'transparency', 'listForeignKeys'>['foreign_keys'][number]

export const standingTones = {
  usable: 'good',
  disabled: 'bad',
  expired: 'off',
  deleted: 'bad',
  unauthorized: 'bad',
} as const satisfies Record<ForeignKey['state'], string>

export function Borrowed() {
  const { data, error } = useApi('transparency', 'listForeignKeys', { query: { limit: 100 } })
  return (
    <Grid
      label="Keys of other accounts"
      rows={data?.foreign_keys}
      rowKey={(one) => one.key_crn}
      problem={error}
      empty={
        <Empty title="Nothing lies under another account’s key">
          <p>
            Ask the other account for the CRN of a key, then <Link to="/volumes?create">create a volume</Link> with it.
            The console checks the authorization as you type, and writes the message to its owner where one is missing.
          </p>
        </Empty>
      }
      columns={[
        { name: 'Key', cell: (one) => <KeyName crn={one.key_crn} /> },
        {
          name: 'Stands',
          cell: (one) => (
            <>
              <Status tone={standingTones[one.state]}>{one.state}</Status>
              {one.expires_at && <div className="k-small">expires {timeText(one.expires_at)}</div>}
            </>
          ),
        },
        { name: 'Our resources under it', cell: (one) => plural(one.resources, 'resource') },
        {
          name: 'Authorized',
          cell: (one) =>
            one.authorizations.length === 0
              ? 'no'
              : one.authorizations.map((by) => (
                  <div key={`${by.service} ${by.policy_id}`} className="k-small">
                    {serviceNames[by.service] ?? by.service} since {timeText(by.since ?? undefined)}
                    {by.ends_at && `, until ${timeText(by.ends_at)}`}
                  </div>
                )),
        },
        { name: 'Since', tight: true, cell: (one) => timeText(one.since) },
      ]}
    />
  )
}
