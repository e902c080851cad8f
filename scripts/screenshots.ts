// Pictures of the console for people who have not started it yet, into docs/images. `npm run screenshots`: needs the browser
// that the tests use. A story of two accounts is told to a real server, and then every page is looked at.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { until } from '../test/harness/api.ts'
import { browse } from '../test/harness/browser.ts'
import { projectFolder, startServer, tempFolder } from '../test/harness/server.ts'
import { attach, authorization, keyEnvelope, makeVolume } from '../test/harness/story.ts'
import { ensureConsole } from './console.ts'

const folder = join(projectFolder, 'docs/images')

test('the pages of the console', async (t) => {
  await ensureConsole()
  mkdirSync(folder, { recursive: true })
  const server = await startServer(t, tempFolder(t))
  const { a, b } = server
  const keys = await Promise.all(
    ['payroll', 'archive', 'partners'].map(async (name) => {
      const { resources } = await a.kms(201, 'POST', '/keys', keyEnvelope({ name, extractable: false }))
      return resources[0]
    }),
  )
  const [payroll, archive, partners] = keys
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b, payroll.id) })
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, b, archive.id) })
  await a.expect(201, 'POST', '/v1/policies', { body: authorization(a, a) })
  const [ledger] = await Promise.all([
    ...['ledger', 'ledger-log', 'reports'].map((name) => makeVolume(b, payroll.crn, { name })),
    makeVolume(b, archive.crn, { name: 'year-2025' }),
    makeVolume(a, payroll.crn, { name: 'staging' }),
  ])
  await attach(b, ledger.id)
  await a.kms(204, 'POST', `/keys/${archive.id}/actions/disable`)

  const { page, go, as } = await browse(t, server)
  const shoot = async (name: string): Promise<void> => {
    await until(
      () => page.locator('.cds--inline-loading').count(),
      (count) => count === 0,
    )
    await page.screenshot({ path: join(folder, `${name}.png`) })
  }
  await page.setViewportSize({ width: 1120, height: 720 })
  const keyPath = `/keys/${a.account.kmsInstanceId}/${payroll.id}`
  await as('A')
  const ofA = [
    ['overview', '/', 'Overview'],
    ['keys', '/keys', 'Keys'],
    ['key', keyPath, 'payroll'],
    ['authorizations', '/authorizations', 'Authorizations'],
    ['graph', `/graph?without=${encodeURIComponent(payroll.crn)}`, 'Graph'],
    ['audit', '/audit', 'Audit'],
  ] as const
  for (const [name, path, title] of ofA) {
    await go(path, title)
    await shoot(name)
  }
  await go(keyPath, 'payroll')
  await page.getByRole('button', { name: 'Disable' }).click()
  await page.getByRole('dialog').getByText('4 resources stop').waitFor()
  await shoot('disable')
  await page.keyboard.press('Escape')

  await as('B')
  await go('/volumes', 'Volumes')
  await shoot('volumes')
  await go(`/volumes/${ledger.id}`, 'ledger')
  await shoot('volume')
  await go('/notices', 'Notices')
  await shoot('notices')
  await go('/instances', 'Instances')
  await shoot('instances')
  await go('/volumes?create', 'Volumes')
  await page.getByText('Of another account: locate by CRN').click()
  await page.getByLabel('CRN of the root key').fill(partners.crn)
  await page.getByText('Not authorized yet').scrollIntoViewIfNeeded()
  await shoot('create-volume')
  await page.emulateMedia({ colorScheme: 'dark' })
  await page.setViewportSize({ width: 360, height: 720 })
  await go('/volumes', 'Volumes')
  await shoot('phone')
})
