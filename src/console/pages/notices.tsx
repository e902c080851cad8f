// What this account was told about keys that its resources depend on: an inbox. Planned actions can be objected to.

import { Button, InlineNotification, Select, SelectItem, TextArea } from '@carbon/react'
import { useState } from 'react'
import { call } from '../api/call.ts'
import type { Answer } from '#client/operations.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { useFilters } from '../parts/filters.ts'
import { Grid } from '../parts/grid.tsx'
import type { Column } from '../parts/grid.tsx'
import { KeyName } from '../parts/key-name.tsx'
import { noticeText, noticeTone } from '#client/notice-words.ts'
import { Empty, Facts, Page } from '../parts/page.tsx'
import { Pages } from '../parts/pages.tsx'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { ResourceName } from '../parts/resource-name.tsx'
import { Status } from '../parts/status.tsx'
import { plural, timeText } from '#client/words.ts'

export type Notice = Answer<'transparency', 'getNotice'>

export function NoticesPage() {
  const filters = useFilters(['show', 'start'])
  const { show, start } = filters.values
  const [openId, setOpenId] = useState<string | null>(null)
  const { data, error } = useApi('transparency', 'listNotices', {
    query: {
      limit: 25,
      ...(start && { start }),
      ...(show === 'unread' && { unread: true }),
      ...(show === 'unacknowledged' && { unacknowledged: true }),
    },
  })
  const opened = data?.notices.find((one) => one.id === openId)
  const read = useAct((session, id: string) => call(session, 'transparency', 'readNotice', { path: { id } }))
  const open = (notice: Notice): void => {
    setOpenId(notice.id)
    if (notice.read_at === null) read.mutate(notice.id)
  }
  const columns: readonly Column<Notice>[] = [
    { name: 'When', tight: true, cell: (notice) => timeText(notice.created_at) },
    {
      name: 'What',
      cell: (notice) => (
        <>
          <Status tone={noticeTone(notice.type)}>{notice.type}</Status>
          <div>
            <button
              type="button"
              className={notice.read_at === null ? 'k-open k-open--unread' : 'k-open'}
              onClick={() => open(notice)}
            >
              {noticeText(notice.type, notice.event.data)}
            </button>
          </div>
        </>
      ),
    },
    { name: 'Key', cell: (notice) => <KeyName crn={notice.event.data.key_crn} /> },
    { name: 'Our resources', cell: (notice) => plural(notice.event.data.resources, 'resource') },
    {
      name: 'Answered',
      cell: (notice) => (notice.acknowledged_at === null ? 'not yet' : timeText(notice.acknowledged_at)),
    },
  ]
  return (
    <Page
      title="Notices"
      lead="Whoever owns a key that resources of this account lie under decides about it; here this account is told, at once and before planned actions."
    >
      <div className="k-filters">
        <Select
          id="show"
          labelText="Show"
          value={show ?? ''}
          onChange={(event) => filters.set({ show: event.target.value })}
        >
          <SelectItem value="" text="All notices" />
          <SelectItem value="unread" text="Unread" />
          <SelectItem value="unacknowledged" text="Not acknowledged" />
        </Select>
      </div>
      <Grid
        label="Notices"
        rows={data?.notices}
        rowKey={(notice) => notice.id}
        problem={error}
        columns={columns}
        empty={
          <Empty title={filters.any ? 'None of these' : 'No notices'}>
            <p>
              They come when a key is disabled, enabled, rotated or deleted, expires, or its authorization is withdrawn.
            </p>
          </Empty>
        }
      />
      <Pages
        total={undefined}
        shown={data?.notices.length}
        start={start}
        next={data?.next?.start}
        onTo={(to) => filters.set({ start: to })}
      />
      {opened && <NoticePanel notice={opened} onClose={() => setOpenId(null)} />}
    </Page>
  )
}

function NoticePanel({ notice, onClose }: { readonly notice: Notice; readonly onClose: () => void }) {
  const { data } = notice.event
  const [reason, setReason] = useState('')
  const answer = useAct((session, body: { answer: 'acknowledged' | 'objected'; reason?: string }) =>
    call(session, 'transparency', 'acknowledgeNotice', { path: { id: notice.id }, body }),
  )
  const isPlan = notice.type === 'action.planned'
  const answered = notice.acknowledged_at === null ? null : 'It is answered already.'
  return (
    <Panel title={noticeText(notice.type, data)} onClose={onClose} foot={<Button onClick={onClose}>Close</Button>}>
      <Facts
        rows={[
          ['When', timeText(notice.created_at)],
          ['Key', <KeyName key="key" crn={data.key_crn} />],
          ['Owner', <code key="owner">{data.owner_account_id}</code>],
          data.expires_at ? ['Expires', timeText(data.expires_at)] : null,
          data.plan ? ['Planned for', timeText(data.plan.planned_at)] : null,
          notice.acknowledged_at === null ? null : ['Answered', timeText(notice.acknowledged_at)],
        ]}
      />
      {data.plan && (
        <InlineNotification
          kind="info"
          role="status"
          lowContrast
          hideCloseButton
          title="Their reason"
          subtitle={data.plan.reason}
        />
      )}
      {data.resource_crns.length > 0 && (
        <>
          <h3>{plural(data.resources, 'resource')} of this account</h3>
          <ul className="k-list" aria-label="Resources">
            {data.resource_crns.map((crn) => (
              <li key={crn}>
                <ResourceName crn={crn} />
              </li>
            ))}
          </ul>
        </>
      )}
      {isPlan && notice.acknowledged_at === null && (
        <TextArea
          id="objection"
          labelText="Reason, if you object"
          rows={3}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
      )}
      <div className="k-actions">
        <Act whyNot={answered} busy={answer.isPending} onClick={() => answer.mutate({ answer: 'acknowledged' })}>
          Acknowledge
        </Act>
        {isPlan && (
          <Act
            kind="danger--tertiary"
            whyNot={answered ?? (reason.trim() === '' ? 'Say why.' : null)}
            busy={answer.isPending}
            onClick={() => answer.mutate({ answer: 'objected', reason: reason.trim() })}
          >
            Object
          </Act>
        )}
      </div>
      {answer.error && <Problem refusal={answer.error} title="The answer was not taken" />}
    </Panel>
  )
}
