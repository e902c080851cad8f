// A real browser in front of a real server: Debian's Chromium, without a window.

import type { TestContext } from 'node:test'
import { chromium } from 'playwright-core'
import type { Page } from 'playwright-core'
import { afterwards } from './server.ts'
import type { Server } from './server.ts'

/** Debian's; scripts/needs.sh installs it. */
const chromiumPath = '/usr/bin/chromium'

export interface Browsed {
  readonly page: Page
  /** What the browser complained about: scripts that fail, and what the content security policy keeps out. */
  readonly complaints: readonly string[]
  go(path: string, title: string): Promise<void>
  /** Switches to the account that the API key is of, signing in where it is not yet. */
  as(name: 'A' | 'B'): Promise<void>
}

export async function browse(t: TestContext, server: Server): Promise<Browsed> {
  // Root has no sandbox in Chromium; the pages are our own.
  const browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox'] })
  afterwards(t, () => browser.close())
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, reducedMotion: 'reduce' })
  page.setDefaultTimeout(10_000)
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(String(error)))
  page.on('console', (message) => {
    // A refused request is shown to the user; the browser notes it too.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource'))
      complaints.push(message.text())
  })
  page.on('request', (request) => {
    if (!request.url().startsWith(server.baseUrl)) complaints.push(`a request to ${request.url()}`)
  })
  const accounts = { A: server.a.account, B: server.b.account }
  const signedIn = new Set<string>()
  return {
    page,
    complaints,
    async go(path, title) {
      await page.goto(`${server.baseUrl}/console${path}`)
      await page.getByRole('heading', { level: 1, name: title }).waitFor()
    },
    async as(name) {
      const account = accounts[name]
      if (signedIn.has(name)) return void (await page.getByLabel('Account', { exact: true }).selectOption(account.id))
      if (signedIn.size === 0) await page.goto(`${server.baseUrl}/console`)
      else await page.getByRole('button', { name: 'Add an account' }).click()
      const form = signedIn.size === 0 ? page.locator('main') : page.getByRole('dialog')
      await form.getByLabel('API key', { exact: true }).fill(account.apiKey)
      await form.getByRole('button', { name: signedIn.size === 0 ? 'Sign in' : 'Add', exact: true }).click()
      await page
        .locator(`select[aria-label="Account"] option:checked[value="${account.id}"]`)
        .waitFor({ state: 'attached' })
      signedIn.add(name)
    },
  }
}
