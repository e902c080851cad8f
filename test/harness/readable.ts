// What every page of the console has to be: readable by a screen reader, in both themes, and no wider than a phone.

import assert from 'node:assert/strict'
import type { Page } from 'playwright-core'
import { until } from './api.ts'
import { axe } from './axe.ts'

const desk = { width: 1280, height: 900 }
const phone = { width: 360, height: 740 }

/** The page as it stands, once it has nothing left to read; `name` is what is said where it fails. */
export async function assertReadable(page: Page, name: string): Promise<void> {
  await page.setViewportSize(desk)
  await until(
    () => page.locator('.cds--inline-loading').count(),
    (count) => count === 0,
  )
  assert.deepEqual(await axe(page), [], `${name} in the light`)
  await page.emulateMedia({ colorScheme: 'dark' })
  assert.deepEqual(await axe(page, ['color-contrast']), [], `${name} in the dark`)
  await page.emulateMedia({ colorScheme: 'light' })
  await page.setViewportSize(phone)
  const width = await page.evaluate('document.documentElement.scrollWidth')
  assert.equal(width, phone.width, `${name} is ${width} wide on a phone`)
  await page.setViewportSize(desk)
}
