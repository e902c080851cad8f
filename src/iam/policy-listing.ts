// Pages of the policies that somebody may read. Most readers may read all of an account's or none; for the others rows are
// read on until the page is full.

import type { Reads } from '#store/database.ts'
import type { Reader } from './policy-rights.ts'
import { valueAt } from './policy-list.ts'
import { readPolicies } from './tables-policy-lists.ts'
import type { After, ListedPolicy, PolicyFilter, PolicyPage } from './tables-policy-lists.ts'

export interface PolicyListing {
  readonly page: PolicyPage
  readonly policies: readonly ListedPolicy[]
  /** Where the next page begins, or null. */
  readonly next: After | null
}

export async function listVisible(reads: Reads, reader: Reader, page: PolicyPage): Promise<PolicyListing> {
  const visible: ListedPolicy[] = []
  // One more than the page holds tells whether there is another page.
  const batch = page.limit + 1
  let after = page.after
  for (;;) {
    const rows = await readPolicies(reads, reader.grant, { ...page, ...(after && { after }), limit: batch })
    visible.push(...rows.filter((policy) => reader.mayRead(policy.facts) && hasTag(policy, page.filter)))
    const last = rows.at(-1)
    if (visible.length > page.limit || rows.length < batch || !last) break
    after = { value: valueAt(last, page.order), id: last.id }
  }
  const policies = visible.slice(0, page.limit)
  const end = policies.at(-1)
  const next = visible.length > page.limit && end ? { value: valueAt(end, page.order), id: end.id } : null
  return { page, policies, next }
}

/** Tags are few and in no column of their own. */
function hasTag({ sent }: ListedPolicy, { tagName, tagValue }: PolicyFilter): boolean {
  if (tagName === undefined && tagValue === undefined) return true
  const fits = (wanted: string | undefined, is: unknown): boolean => wanted === undefined || wanted === is
  return (sent.tags ?? []).some((tag) => fits(tagName, tag.name) && fits(tagValue, tag.value))
}
