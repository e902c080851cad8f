// What stands around every page: where to go, as whom, and in which light.

import {
  Content,
  Header,
  HeaderGlobalAction,
  HeaderGlobalBar,
  HeaderMenuButton,
  HeaderName,
  SideNav,
  SideNavItems,
  SideNavLink,
  SkipToContent,
} from '@carbon/react'
import { Asleep, Light, Logout, UserFollow } from '@carbon/icons-react'
import { useEffect, useState } from 'react'
import type { ReactNode } from 'react'
import { Link, useLocation } from 'react-router'
import { signOut, switchTo } from './api/sessions.ts'
import { useLive } from './api/live.ts'
import { useApi, useSession, useSessions } from './api/use-api.ts'
import { SignInPanel } from './pages/sign-in.tsx'
import { shortId } from '#client/words.ts'
import { setTheme, useTheme } from './theme.ts'

const places = [
  ['/', 'Overview'],
  ['/volumes', 'Volumes'],
  ['/keys', 'Keys'],
  ['/authorizations', 'Authorizations'],
  ['/instances', 'Instances'],
  ['/snapshots', 'Snapshots'],
  ['/graph', 'Graph'],
  ['/notices', 'Notices'],
  ['/audit', 'Audit'],
] as const

export function Shell({ children }: { readonly children: ReactNode }) {
  const { pathname } = useLocation()
  useLive()
  const theme = useTheme()
  const [open, setOpen] = useState(false)
  useEffect(() => setOpen(false), [pathname])
  return (
    <>
      <Header aria-label="Keyward" className="k-dark">
        <SkipToContent />
        <HeaderMenuButton
          aria-label={open ? 'Close menu' : 'Open menu'}
          aria-expanded={open}
          isActive={open}
          onClick={() => setOpen(!open)}
        />
        <HeaderName as={Link} to="/" prefix="">
          Keyward
        </HeaderName>
        <HeaderGlobalBar>
          <Account />
          <ThemeAction />
        </HeaderGlobalBar>
        <SideNav aria-label="Pages" expanded={open} className={`k-${theme}`} onOverlayClick={() => setOpen(false)}>
          <SideNavItems>
            {places.map(([path, name]) => (
              <SideNavLink
                key={path}
                as={Link}
                to={path}
                isActive={pathname === path || (path !== '/' && pathname.startsWith(`${path}/`))}
                aria-current={pathname === path ? 'page' : undefined}
              >
                {path === '/notices' ? <NoticesLabel /> : name}
              </SideNavLink>
            ))}
          </SideNavItems>
        </SideNav>
      </Header>
      <Content id="main-content" className="k-content">
        {children}
      </Content>
    </>
  )
}

/** How many were not read, where somebody may read them. */
function NoticesLabel() {
  const { data } = useApi('transparency', 'listNotices', { query: { limit: 100, unread: true } })
  const unread = data?.notices.length ?? 0
  return (
    <>
      Notices
      {unread > 0 && (
        <span className="k-badge">
          {unread}
          <span className="cds--visually-hidden"> unread</span>
        </span>
      )}
    </>
  )
}

function ThemeAction() {
  const other = useTheme() === 'dark' ? 'light' : 'dark'
  return (
    <HeaderGlobalAction aria-label={`Use the ${other} theme`} tooltipAlignment="end" onClick={() => setTheme(other)}>
      {other === 'dark' ? <Asleep size={20} /> : <Light size={20} />}
    </HeaderGlobalAction>
  )
}

/** As whom: people who keep keys in one account and volumes in another are both at once. */
function Account() {
  const { all } = useSessions()
  const { accountId, userName } = useSession()
  const [adding, setAdding] = useState(false)
  return (
    <>
      <div className="k-account">
        <select
          aria-label="Account"
          value={accountId}
          onChange={(event) => switchTo(event.target.value)}
          title={`${userName}, account ${accountId}`}
        >
          {all.map((one) => (
            <option key={one.accountId} value={one.accountId}>
              {one.userName} · {shortId(one.accountId)}
            </option>
          ))}
        </select>
      </div>
      <HeaderGlobalAction aria-label="Add an account" onClick={() => setAdding(true)}>
        <UserFollow size={20} />
      </HeaderGlobalAction>
      <HeaderGlobalAction aria-label="Sign out of this account" onClick={() => signOut(accountId)}>
        <Logout size={20} />
      </HeaderGlobalAction>
      {adding && <SignInPanel onClose={() => setAdding(false)} />}
    </>
  )
}
