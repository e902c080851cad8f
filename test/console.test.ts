// The console in a real browser against the real program, as people use it: the mission with two accounts, and on every page
// what a screen reader would stumble over.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { ensureConsole } from '../scripts/console.ts'
import { axe } from './harness/axe.ts'
import { browse } from './harness/browser.ts'
import { assertReadable } from './harness/readable.ts'
import { projectFolder, startServer, tempFolder } from './harness/server.ts'

test('the console is built once for the same sources', async () => {
  await ensureConsole()
  const index = join(projectFolder, 'dist/console/index.html')
  const before = statSync(index)
  await ensureConsole()
  assert.equal(statSync(index).ino, before.ino)
})

test('the mission is played in the browser', async (t) => {
  await ensureConsole()
  const server = await startServer(t, tempFolder(t))
  const { page, complaints, go, as } = await browse(t, server)
  const dialog = page.getByRole('dialog')
  let keyPath = ''
  let volumePath = ''

  await as('A')
  await t.test('A creates a root key', async () => {
    await go('/keys', 'Keys')
    await page.getByRole('button', { name: 'Create key' }).click()
    await dialog.getByLabel('Name').fill('payroll')
    await dialog.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'payroll' }).waitFor()
    keyPath = new URL(page.url()).pathname.replace('/console', '')
    await page.getByText('Nothing lies under this key').waitFor()
  })

  const { resources } = await server.a.kms(200, 'GET', '/keys')
  const crn: string = resources[0].crn

  await t.test('B sees, before trying, that nobody has authorized it', async () => {
    await as('B')
    await go('/volumes?create', 'Volumes')
    await dialog.getByText('Of another account: locate by CRN').click()
    await dialog.getByLabel('CRN of the root key').fill('crn:v1:nonsense')
    await dialog.getByText('That is no CRN').waitFor()
    await dialog.getByLabel('CRN of the root key').fill(crn)
    await dialog.getByText('Not authorized yet').waitFor()
    const message = await dialog.getByLabel('message to the key’s owner', { exact: true }).inputValue()
    assert.ok(message.includes(crn) && message.includes(server.b.account.id) && message.includes('/v1/policies'))
    assert.deepEqual(await axe(page), [])
  })

  await t.test('A lets B use the key, and that key alone', async () => {
    await page.keyboard.press('Escape')
    await as('A')
    await go(keyPath, 'payroll')
    await page.getByRole('button', { name: 'Let another account use it' }).click()
    await dialog.getByLabel('Their account id').fill(server.b.account.id)
    await dialog.getByRole('button', { name: 'Authorize' }).click()
    await dialog.getByText('may use the key now').waitFor()
    await dialog.getByRole('button', { name: 'Done' }).click()
    const { policies } = await server.a.expect(
      200,
      'GET',
      `/v1/policies?account_id=${server.a.account.id}&type=authorization`,
    )
    assert.equal(policies.length, 1)
    const names = policies[0].resources[0].attributes.map((one: { name: string }) => one.name)
    assert.deepEqual(names.toSorted(), ['accountId', 'resource', 'resourceType', 'serviceInstance', 'serviceName'])
  })

  await t.test('B creates a volume under it, by its CRN', async () => {
    await as('B')
    await go('/volumes?create', 'Volumes')
    await dialog.getByLabel('Name').fill('ledger')
    await dialog.getByText('Of another account: locate by CRN').click()
    await dialog.getByLabel('CRN of the root key').fill(crn)
    await dialog.getByText('Authorized', { exact: true }).waitFor()
    await dialog.getByRole('button', { name: 'Create', exact: true }).click()
    await page.getByRole('heading', { level: 1, name: 'ledger' }).waitFor()
    volumePath = new URL(page.url()).pathname.replace('/console', '')
    await page.getByText('available', { exact: true }).waitFor()
    await page.getByText(`Account ${server.a.account.id} owns this key`).waitFor()
  })

  await t.test('B attaches it, and is told how to open it', async () => {
    await page.getByRole('button', { name: 'Attach' }).click()
    await dialog.getByRole('button', { name: 'Attach', exact: true }).click()
    await page.getByRole('button', { name: 'Show how to connect' }).click()
    const box = page.locator('.k-commands')
    await box.getByText('nbdinfo').waitFor()
    // What is shown is what works.
    const commands = await box.locator('pre').innerText()
    const done = spawnSync('sh', ['-ec', commands], { cwd: tempFolder(t), encoding: 'utf8' })
    assert.equal(done.status, 0, done.stderr)
    assert.match(done.stdout, /export-size: 10737418240/)
  })

  await t.test('A sees it under associated resources, and disables the key after the preview', async () => {
    await as('A')
    await go(keyPath, 'payroll')
    await page.getByRole('table', { name: 'Associated resources' }).getByText('volume r006').waitFor()
    await page.getByRole('button', { name: 'Disable' }).click()
    await dialog.getByText('1 resource stops').waitFor()
    await dialog.getByText(`Account ${server.b.account.id}`).waitFor()
    await dialog.getByText('is open now: running I/O is cut').or(dialog.getByText('None of them is open now')).waitFor()
    assert.deepEqual(await axe(page), [])
    await dialog.getByRole('button', { name: 'Disable' }).click()
    await page.getByText('disabled', { exact: true }).waitFor()
  })

  await t.test('B sees the volume unusable, with the reason', async () => {
    await as('B')
    await go(volumePath, 'ledger')
    await page.getByText('encryption_key_disabled').waitFor()
    const attach = page.getByRole('button', { name: 'Show how to connect' })
    assert.equal(await attach.isDisabled(), true)
    await page.getByText('The volume is unusable; it has to be available or updating.').waitFor()
    await go('/notices', 'Notices')
    await page.getByRole('button', { name: 'The key was disabled' }).click()
    await dialog.getByRole('list', { name: 'Resources' }).getByRole('link').waitFor()
    assert.deepEqual(await axe(page), [])
    await dialog.getByRole('button', { name: 'Acknowledge' }).click()
    await dialog.getByText('It is answered already.').waitFor()
    await dialog.getByRole('button', { name: 'Close' }).last().click()
    await go('/', 'Overview')
    await page.getByRole('list', { name: 'Needs attention' }).getByRole('link', { name: 'ledger' }).waitFor()
  })

  await t.test('A cannot enable it at once, and then can; B is back', async () => {
    await as('A')
    await go(keyPath, 'payroll')
    await page.getByRole('button', { name: 'Enable' }).click()
    await dialog.getByRole('button', { name: 'Enable' }).click()
    await dialog.getByText('is possible from').waitFor()
    await server.advance(30)
    await dialog.getByRole('button', { name: 'Enable' }).click()
    await dialog.waitFor({ state: 'detached' })
    await page.getByText('active', { exact: true }).waitFor()
    await as('B')
    await go(volumePath, 'ledger')
    await page.getByText('available', { exact: true }).waitFor()
  })

  await t.test('every page can be read by a screen reader, in both themes, and fits a phone', async () => {
    const pages = [
      ['A', '/', 'Overview'],
      ['A', '/keys', 'Keys'],
      ['A', '/keys?create=key', 'Keys'],
      ['A', keyPath, 'payroll'],
      ['A', '/authorizations', 'Authorizations'],
      ['A', '/authorizations?let', 'Authorizations'],
      ['A', '/graph', 'Graph'],
      ['A', '/notices', 'Notices'],
      ['A', '/audit', 'Audit'],
      ['B', '/volumes', 'Volumes'],
      ['B', '/volumes?create', 'Volumes'],
      ['B', volumePath, 'ledger'],
      ['B', '/instances', 'Instances'],
      ['B', '/snapshots', 'Snapshots'],
      ['B', '/instances?create', 'Instances'],
      ['B', '/nowhere', 'Not found'],
    ] as const
    for (const [name, path, title] of pages) {
      await page.keyboard.press('Escape')
      await as(name)
      await go(path, title)
      await assertReadable(page, path)
    }
  })

  await t.test('a reload stays signed in, signing out does not', async () => {
    await go('/volumes', 'Volumes')
    const kept = String(await page.evaluate('JSON.stringify([{ ...sessionStorage }, { ...localStorage }])'))
    assert.ok(!kept.includes(server.b.account.apiKey) && !kept.includes('eyJ'), 'no API key, no access token')
    await page.getByRole('button', { name: 'Sign out of this account' }).click()
    await page.getByRole('button', { name: 'Sign out of this account' }).click()
    await page.getByLabel('API key', { exact: true }).waitFor()
    await page.getByLabel('API key', { exact: true }).fill('not-a-key')
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('alert').getByText('provided API key could not be found', { exact: false }).waitFor()
  })

  assert.deepEqual(complaints, [])
})
