// Paths to pages. What a page shows is in its URL, so that it can be bookmarked and sent to somebody.

import { lazy, Suspense } from 'react'
import { Route, Routes } from 'react-router'
import { InlineLoading } from '@carbon/react'
import { useSessions } from './api/use-api.ts'
import { SignIn } from './pages/sign-in.tsx'
import { Empty, Page } from './parts/page.tsx'
import { Shell } from './shell.tsx'

const VolumesPage = lazy(() => import('./pages/volumes.tsx').then((file) => ({ default: file.VolumesPage })))
const VolumePage = lazy(() => import('./pages/volume.tsx').then((file) => ({ default: file.VolumePage })))
const KeysPage = lazy(() => import('./pages/keys.tsx').then((file) => ({ default: file.KeysPage })))
const KeyPage = lazy(() => import('./pages/key.tsx').then((file) => ({ default: file.KeyPage })))
const AuthorizationsPage = lazy(() =>
  import('./pages/authorizations.tsx').then((file) => ({ default: file.AuthorizationsPage })),
)
const OverviewPage = lazy(() => import('./pages/overview.tsx').then((file) => ({ default: file.OverviewPage })))
const InstancesPage = lazy(() => import('./pages/instances.tsx').then((file) => ({ default: file.InstancesPage })))
const InstancePage = lazy(() => import('./pages/instance.tsx').then((file) => ({ default: file.InstancePage })))
const AuditPage = lazy(() => import('./pages/audit.tsx').then((file) => ({ default: file.AuditPage })))
const GraphPage = lazy(() => import('./pages/graph.tsx').then((file) => ({ default: file.GraphPage })))
const SnapshotsPage = lazy(() => import('./pages/snapshots.tsx').then((file) => ({ default: file.SnapshotsPage })))
const SnapshotPage = lazy(() => import('./pages/snapshot.tsx').then((file) => ({ default: file.SnapshotPage })))
const NoticesPage = lazy(() => import('./pages/notices.tsx').then((file) => ({ default: file.NoticesPage })))

export function App() {
  const { active } = useSessions()
  if (!active) return <SignIn />
  return (
    // Another account is another world: nothing on the screen outlives the switch.
    <Shell key={active.accountId}>
      <Suspense fallback={<InlineLoading description="Loading" />}>
        <Routes>
          <Route path="/volumes" element={<VolumesPage />} />
          <Route path="/volumes/:id" element={<VolumePage />} />
          <Route path="/keys" element={<KeysPage />} />
          <Route path="/keys/:instanceId/:id" element={<KeyPage />} />
          <Route path="/authorizations" element={<AuthorizationsPage />} />
          <Route path="/" element={<OverviewPage />} />
          <Route path="/instances" element={<InstancesPage />} />
          <Route path="/instances/:id" element={<InstancePage />} />
          <Route path="/audit" element={<AuditPage />} />
          <Route path="/graph" element={<GraphPage />} />
          <Route path="/snapshots" element={<SnapshotsPage />} />
          <Route path="/snapshots/:id" element={<SnapshotPage />} />
          <Route path="/notices" element={<NoticesPage />} />
          <Route path="*" element={<Nowhere />} />
        </Routes>
      </Suspense>
    </Shell>
  )
}

const Nowhere = () => (
  <Page title="Not found">
    <Empty title="There is no page at this address" />
  </Page>
)
