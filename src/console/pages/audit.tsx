// The audit trail of the account, in the form of Activity Tracker events.

import { Button, Select, SelectItem, TextInput } from '@carbon/react'
import { useApi, useSession } from '../api/use-api.ts'
import { auditColumns } from '../parts/audit-trail.tsx'
import { useFilters } from '../parts/filters.ts'
import { Grid } from '../parts/grid.tsx'
import { Empty, Page } from '../parts/page.tsx'
import { Pages } from '../parts/pages.tsx'
import { ResourceName } from '../parts/resource-name.tsx'

export function AuditPage() {
  const { accountId } = useSession()
  const filters = useFilters(['action', 'outcome', 'severity', 'target_id', 'start'])
  const { action, outcome, severity, target_id: targetId, start } = filters.values
  const { data, error } = useApi('keyward', 'listAuditRecords', {
    query: {
      account_id: accountId,
      limit: 50,
      ...(action && { action }),
      ...(targetId && { target_id: targetId }),
      ...(start && { start }),
      ...((outcome === 'success' || outcome === 'failure') && { outcome }),
      ...((severity === 'normal' || severity === 'warning' || severity === 'critical') && { severity }),
    },
  })
  return (
    <Page
      title="Audit"
      lead="Who did what to the keys of this account, and what other accounts’ keys did for its resources. Refused attempts too."
    >
      <div className="k-filters" role="search">
        <TextInput
          id="audit-action"
          labelText="Action"
          placeholder="kms.secrets.disable"
          value={action ?? ''}
          onChange={(event) => filters.set({ action: event.target.value })}
        />
        <Select
          id="audit-outcome"
          labelText="Outcome"
          value={outcome ?? ''}
          onChange={(event) => filters.set({ outcome: event.target.value })}
        >
          <SelectItem value="" text="Any" />
          <SelectItem value="success" text="Success" />
          <SelectItem value="failure" text="Failure" />
        </Select>
        <Select
          id="audit-severity"
          labelText="Severity"
          value={severity ?? ''}
          onChange={(event) => filters.set({ severity: event.target.value })}
        >
          <SelectItem value="" text="Any" />
          <SelectItem value="normal" text="Normal" />
          <SelectItem value="warning" text="Warning" />
          <SelectItem value="critical" text="Critical" />
        </Select>
      </div>
      <Grid
        label="Audit records"
        rows={data?.records}
        rowKey={(record) => record.id}
        problem={error}
        empty={
          filters.any ? (
            <Empty
              title="Nothing like that is recorded"
              action={
                <Button kind="tertiary" onClick={filters.clear}>
                  Show all
                </Button>
              }
            />
          ) : (
            <Empty title="Nothing is recorded yet" />
          )
        }
        columns={[...auditColumns, { name: 'On what', cell: (record) => <ResourceName crn={record.target.id} /> }]}
      />
      <Pages
        total={undefined}
        shown={data?.records.length}
        start={start}
        next={data?.next?.start}
        onTo={(to) => filters.set({ start: to })}
      />
    </Page>
  )
}
