// What axe finds on a page, in one line each. It is put into the page by the debugger, so the page's content security policy
// stays as it is.

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

const source = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

interface Finding {
  readonly id: string
  readonly help: string
  readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[]
}

/** Every rule, or those that are named: what is written does not change with the theme, its contrast does. */
export async function axe(page: Page, rules?: readonly string[]): Promise<readonly string[]> {
  await page.evaluate(source)
  const options = { resultTypes: ['violations'], ...(rules && { runOnly: rules }) }
  const result = (await page.evaluate(`axe.run(document, ${JSON.stringify(options)})`)) as {
    readonly violations: readonly Finding[]
  }
  return result.violations.map(({ id, help, nodes }) => {
    const [first] = nodes
    return `${id}: ${help}: ${nodes.length} times, first ${first?.html.slice(0, 300)} ${first?.failureSummary}`
  })
}
