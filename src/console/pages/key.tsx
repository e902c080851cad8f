// One key: its state, who lies under it in which account, its versions, and what its owner can do with all of that.

import { Breadcrumb, BreadcrumbItem, Tab, TabList, TabPanel, TabPanels, Tabs } from '@carbon/react'
import { Link, useParams } from 'react-router'
import { call } from '../api/call.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { AuditTrail } from '../parts/audit-trail.tsx'
import { CopyText } from '../parts/copy.tsx'
import { inInstance, isRoot } from '#client/key-manager.ts'
import type { Key } from '#client/key-manager.ts'
import { Facts, Page } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { Status } from '../parts/status.tsx'
import { keyStateNames, keyStateOf, keyTones, timeText } from '#client/words.ts'
import { DestroyCertificate } from './destroy-certificate.tsx'
import { KeyActions } from './key-actions.tsx'
import { Aliases } from './key-aliases.tsx'
import { KeyPolicies } from './key-policies.tsx'
import { Plans } from './key-plans.tsx'
import { AssociatedResources } from './key-resources.tsx'
import { Versions } from './key-versions.tsx'

export function KeyPage() {
  const { instanceId = '', id = '' } = useParams()
  const headers = inInstance(instanceId)
  const { data, error } = useApi('kms', 'getKeyMetadata', { headers, path: { id } })
  const key = data?.resources[0]
  if (!key) {
    return (
      <Page title="Key">
        {error && <Problem refusal={error} title="The key cannot be shown" />}
        {error && <DestroyCertificate id={id} />}
      </Page>
    )
  }
  const state = keyStateOf(key.state)
  return (
    <Page
      title={key.name ?? key.id}
      above={
        <Breadcrumb noTrailingSlash>
          <BreadcrumbItem>
            <Link to={`/keys?instance=${instanceId}`}>Keys</Link>
          </BreadcrumbItem>
        </Breadcrumb>
      }
      actions={<KeyActions instanceId={instanceId} listed={key} />}
    >
      <Facts
        rows={[
          [
            'State',
            <Status key="state" tone={keyTones[state]}>
              {keyStateNames[state]}
            </Status>,
          ],
          ['Kind', isRoot(key) ? 'Root key' : 'Standard key'],
          ['Ring', key.keyRingID ?? 'default'],
          ['Created', timeText(key.creationDate)],
          ['Last rotated', timeText(key.lastRotateDate)],
          key.expirationDate ? ['Expires', timeText(key.expirationDate)] : null,
          key.deletionDate ? ['Deleted', timeText(key.deletionDate)] : null,
          key.restoreExpirationDate ? ['Can be restored until', timeText(key.restoreExpirationDate)] : null,
          ['Id', <CopyText key="id" text={key.id} label="id" />],
          ['CRN, for other accounts', <CopyText key="crn" text={key.crn ?? ''} label="CRN" />],
        ]}
      />
      {state === 'destroyed' && <DestroyCertificate id={id} />}
      <DualAuthorization instanceId={instanceId} listed={key} />
      <div className="k-section">
        <Tabs>
          <TabList aria-label="About this key">
            <Tab>Associated resources</Tab>
            <Tab>Versions</Tab>
            <Tab>Aliases</Tab>
            <Tab>Policies</Tab>
            <Tab>Planned actions</Tab>
            <Tab>Activity</Tab>
          </TabList>
          <TabPanels>
            <TabPanel>
              <AssociatedResources instanceId={instanceId} id={id} />
            </TabPanel>
            <TabPanel>
              <Versions instanceId={instanceId} listed={key} />
            </TabPanel>
            <TabPanel>
              <Aliases instanceId={instanceId} listed={key} />
            </TabPanel>
            <TabPanel>
              <KeyPolicies instanceId={instanceId} id={id} />
            </TabPanel>
            <TabPanel>
              <Plans instanceId={instanceId} id={id} />
            </TabPanel>
            <TabPanel>
              <AuditTrail targetId={key.crn ?? key.id} />
            </TabPanel>
          </TabPanels>
        </Tabs>
      </div>
    </Page>
  )
}

/** Where deleting takes two people: how far they have come. */
function DualAuthorization({ instanceId, listed: key }: { readonly instanceId: string; readonly listed: Key }) {
  const { dualAuthDelete: dual } = key
  const takeBack = useAct((session) =>
    call(session, 'kms', 'unsetKeyForDeletion', { headers: inInstance(instanceId), path: { id: key.id } }),
  )
  if (!dual?.enabled) return null
  return (
    <div className="k-box k-section">
      <p>
        <strong>Deleting this key takes two people.</strong>{' '}
        {dual.keySetForDeletion
          ? `One has said yes; until ${timeText(dual.authExpiration)} another one may delete it.`
          : 'One sets it for deletion, another one deletes it.'}
      </p>
      {dual.keySetForDeletion && (
        <div>
          <button
            type="button"
            className="cds--btn cds--btn--tertiary cds--btn--sm"
            disabled={takeBack.isPending}
            onClick={() => takeBack.mutate(undefined)}
          >
            Take the word back
          </button>
        </div>
      )}
      {takeBack.error && <Problem refusal={takeBack.error} />}
    </div>
  )
}
