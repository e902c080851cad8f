// What happened to one thing, from the audit trail of the account that looks.

import type { Answer } from '#client/operations.ts'
import { useApi, useSession } from '../api/use-api.ts'
import { Grid } from './grid.tsx'
import type { Column } from './grid.tsx'
import { Empty, Section } from './page.tsx'
import { Status } from './status.tsx'
import { timeText } from '#client/words.ts'

export type AuditRecord = Answer<'keyward', 'listAuditRecords'>['records'][number]

export const auditColumns: readonly Column<AuditRecord>[] = [
  { name: 'When', tight: true, cell: (record) => timeText(record.eventTime) },
  { name: 'What', cell: (record) => <code>{record.action}</code> },
  {
    name: 'Who',
    cell: (record) => (
      <span className="k-clip" title={`${record.initiator.name}, ${record.initiator.id}`}>
        {record.initiator.name}
      </span>
    ),
  },
  {
    name: 'Outcome',
    cell: (record) => (
      <>
        <Status tone={record.outcome === 'success' ? 'good' : 'bad'}>{record.outcome}</Status>
        {record.reason.reasonForFailure && <div className="k-small">{record.reason.reasonForFailure}</div>}
      </>
    ),
  },
]

export function AuditTrail({ targetId }: { readonly targetId: string }) {
  const { accountId } = useSession()
  const { data, error } = useApi('keyward', 'listAuditRecords', {
    query: { account_id: accountId, target_id: targetId, limit: 20 },
  })
  return (
    <Section title="Activity" lead="From the audit trail of this account, newest first.">
      <Grid
        label="Activity"
        columns={auditColumns}
        rows={data?.records}
        rowKey={(record) => record.id}
        problem={error}
        empty={<Empty title="Nothing is recorded of it" />}
      />
    </Section>
  )
}
