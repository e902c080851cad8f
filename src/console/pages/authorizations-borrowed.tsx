// Keys of other accounts that this account's volumes lie under, and whether each may still be used.

import { Link } from 'react-router'
import { parseCrn } from '#base/crn.ts'
import { useApi, useSession } from '../api/use-api.ts'
import { Grid } from '../parts/grid.tsx'
import { KeyName } from '../parts/key-name.tsx'
import { useKeyLeave } from '../parts/key-leave.tsx'
import { Empty } from '../parts/page.tsx'
import { Status } from '../parts/status.tsx'
import { plural } from '../parts/words.ts'

interface Used {
  readonly crn: string
  readonly owner: string
  readonly count: number
}

export function Borrowed() {
  const { accountId } = useSession()
  const { data, error } = useApi('vpc', 'listVolumes', { query: { limit: 100, encryption: 'user_managed' } })
  const crns = data?.volumes.flatMap((volume) => volume.encryption_key?.crn ?? [])
  const used =
    crns &&
    [...Map.groupBy(crns, (crn) => crn)].map(
      ([crn, all]): Used => ({ crn, owner: parseCrn(crn)?.accountId ?? '', count: all.length }),
    )
  return (
    <Grid
      label="Keys of other accounts"
      rows={used?.filter((one) => one.owner !== accountId)}
      rowKey={(one) => one.crn}
      problem={error}
      empty={
        <Empty title="No volume lies under another account’s key">
          <p>
            Ask the other account for the CRN of a key, then <Link to="/volumes?create">create a volume</Link> with it.
            The console checks the authorization as you type, and writes the message to its owner where one is missing.
          </p>
        </Empty>
      }
      columns={[
        { name: 'Key', cell: (one) => <KeyName crn={one.crn} /> },
        { name: 'Owner', cell: (one) => <code>{one.owner}</code> },
        { name: 'Our volumes under it', cell: (one) => plural(one.count, 'volume') },
        { name: 'Authorized', cell: (one) => <Authorized crn={one.crn} /> },
      ]}
    />
  )
}

const answers = {
  none: ['off', 'unknown'],
  asking: ['busy', 'asking'],
  permitted: ['good', 'yes'],
  denied: ['bad', 'no'],
  failed: ['off', 'unknown'],
} as const

function Authorized({ crn }: { readonly crn: string }) {
  const leave = useKeyLeave(crn)
  const [tone, text] = answers[leave.state]
  return <Status tone={tone}>{text}</Status>
}
