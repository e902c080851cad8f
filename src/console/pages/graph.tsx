// Who depends on whose keys, as one picture; and drawn on it, what stops when one of them is disabled.

import { Button, InlineLoading } from '@carbon/react'
import { useSearchParams } from 'react-router'
import { parseCrn } from '#base/crn.ts'
import { isAllowed } from '#kms/key-state.ts'
import { useApi, useSession } from '../api/use-api.ts'
import { useAllKeys } from '../parts/all-keys.ts'
import { reachOf, sourceOf } from '#client/authorization.ts'
import { graphOf } from '../parts/graph-layout.ts'
import type { Graph, Promised } from '../parts/graph-layout.ts'
import { isRoot } from '#client/key-manager.ts'
import { Empty, Page } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { keyStateOf, plural, shortId } from '#client/words.ts'

const [width, boxWidth, boxHeight, groupX] = [760, 260, 34, 500]

export function GraphPage() {
  const { accountId } = useSession()
  const [search, setSearch] = useSearchParams()
  const { keys, registrations, problem } = useAllKeys()
  const volumes = useApi('vpc', 'listVolumes', { query: { limit: 100, encryption: 'user_managed' } })
  const policies = useApi('iam', 'listPolicies', { query: { account_id: accountId, type: 'authorization' } })
  const refusal = problem ?? volumes.error
  if (refusal && !volumes.data)
    return (
      <Page title="Graph">
        <Problem refusal={refusal} />
      </Page>
    )
  if (!keys || !registrations || !volumes.data)
    return (
      <Page title="Graph">
        <InlineLoading description="Reading the account" />
      </Page>
    )

  const roots = keys.filter(isRoot)
  const foreign = volumes.data.volumes.filter(
    ({ encryption_key: key }) => key && parseCrn(key.crn)?.accountId !== accountId,
  )
  const foreignKeys = [...Map.groupBy(foreign, (one) => one.encryption_key?.crn ?? '')].map(([crn, all]) => ({
    crn,
    name: shortId(parseCrn(crn)?.resource ?? crn),
    works: all.every((one) => one.status !== 'unusable'),
  }))
  const crnOf = new Map(roots.map((key) => [key.id, key.crn ?? '']))
  const promised = (policies.data?.policies ?? []).flatMap((policy): readonly Promised[] => {
    const { keyId } = reachOf(policy)
    const keyCrn = keyId && crnOf.get(keyId)
    return keyCrn ? [{ accountId: sourceOf(policy).accountId, keyCrn }] : []
  })
  const graph = graphOf({
    own: accountId,
    keys: [
      ...roots.map((key) => ({
        crn: key.crn ?? '',
        name: key.name ?? key.id,
        works: isAllowed('lease', keyStateOf(key.state)),
      })),
      ...foreignKeys,
    ],
    resources: [
      ...registrations.map((one) => ({ crn: one.resourceCrn, keyCrn: crnOf.get(one.keyId) ?? '' })),
      ...foreign.map((one) => ({ crn: one.crn, keyCrn: one.encryption_key?.crn ?? '' })),
    ],
    promised,
  })
  const chosen = search.get('without')
  const choose = (crn: string | null): void =>
    setSearch(crn && crn !== chosen ? { without: crn } : {}, { replace: true })
  return (
    <Page
      title="Graph"
      lead="Keys on the left, what lies under them on the right. Choose a key to see what would stop without it."
    >
      {graph.keys.length === 0 ? (
        <Empty title="Nothing to draw yet">
          <p>Keys, and the volumes that lie under them in any account, appear here.</p>
        </Empty>
      ) : (
        <>
          <Choice graph={graph} chosen={chosen} onChoose={choose} />
          {/* It scrolls on a phone, and what scrolls can be reached by keyboard. */}
          <div className="k-graph" role="region" aria-label="Picture" tabIndex={0}>
            <Picture graph={graph} own={accountId} chosen={chosen} onChoose={choose} />
          </div>
        </>
      )}
    </Page>
  )
}

/** The same question without the picture: for keyboards, screen readers and phones. */
function Choice(props: {
  readonly graph: Graph
  readonly chosen: string | null
  readonly onChoose: (crn: string | null) => void
}) {
  const { graph, chosen, onChoose } = props
  const stopped = graph.groups.filter((group) => group.keyCrn === chosen && group.count > 0)
  const count = stopped.reduce((sum, group) => sum + group.count, 0)
  const accounts = new Set(stopped.map((group) => group.accountId)).size
  return (
    <div className="k-filters">
      <label className="k-field">
        <span>What if this key is disabled?</span>
        <select
          className="cds--select-input"
          value={chosen ?? ''}
          onChange={(event) => onChoose(event.target.value || null)}
        >
          <option value="">Choose a key</option>
          {graph.keys.map((key) => (
            <option key={key.id} value={key.id}>
              {key.text}
            </option>
          ))}
        </select>
      </label>
      <p role="status" className={chosen && count > 0 ? 'k-stops' : 'k-note'}>
        {chosen === null
          ? `${plural(graph.lines.length, 'dependency', 'dependencies')} between ${plural(new Set(graph.headings.map((one) => one.accountId)).size, 'account')}`
          : count === 0
            ? 'Nothing would stop.'
            : `${plural(count, 'resource')} of ${plural(accounts, 'account')} would stop.`}
      </p>
      {chosen !== null && (
        <Button kind="ghost" size="md" onClick={() => onChoose(null)}>
          Show all
        </Button>
      )}
    </div>
  )
}

function Picture(props: {
  readonly graph: Graph
  readonly own: string
  readonly chosen: string | null
  readonly onChoose: (crn: string) => void
}) {
  const { graph, own, chosen, onChoose } = props
  const middle = boxHeight / 2
  const look = (keyCrn: string, works: boolean): string => {
    if (!works) return 'k-graph--stopped'
    if (chosen === null) return ''
    return keyCrn === chosen ? 'k-graph--would-stop' : 'k-graph--aside'
  }
  return (
    <svg viewBox={`-2 -2 ${width + 4} ${graph.height + 4}`} role="img" aria-label="Keys, and what lies under them">
      {graph.headings.map(({ side, accountId, y }) => (
        <text key={`${side} ${accountId}`} x={side === 'keys' ? 0 : groupX} y={y + 26} className="k-graph__heading">
          {accountId === own ? 'This account' : `Account ${shortId(accountId)}`}
        </text>
      ))}
      {graph.lines.map(({ id, keyCrn, fromY, toY, works, isPromise }) => (
        <path
          key={id}
          className={`k-graph__line ${isPromise ? 'k-graph__line--promise' : ''} ${look(keyCrn, works)}`}
          d={`M ${boxWidth} ${fromY + middle} C ${boxWidth + 120} ${fromY + middle}, ${groupX - 120} ${toY + middle}, ${groupX} ${toY + middle}`}
        />
      ))}
      {graph.keys.map((key) => (
        <g key={key.id} className={`k-graph__key ${look(key.id, key.works)}`} onClick={() => onChoose(key.id)}>
          <title>{key.works ? key.id : `${key.id}: cannot be used`}</title>
          <rect x={0} y={key.y} width={boxWidth} height={boxHeight} rx={3} />
          <text x={12} y={key.y + 22}>
            {key.text.length > 30 ? `${key.text.slice(0, 29)}…` : key.text}
          </text>
        </g>
      ))}
      {graph.groups.map((group) => (
        <g key={group.id} className={`k-graph__group ${look(group.keyCrn, group.works)}`}>
          <rect x={groupX} y={group.y} width={boxWidth} height={boxHeight} rx={3} />
          <text x={groupX + 12} y={group.y + 22}>
            {group.text}
          </text>
        </g>
      ))}
    </svg>
  )
}
