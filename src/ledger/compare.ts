// The books side by side: history, registrations, resources, images. Pure.

import type { BookLine, KeyState } from '#kms/port.ts'
import type { ProvableResource } from '#vpc/port.ts'

export type Difference = {
  readonly what:
    | 'history_differs'
    | 'registration_missing'
    | 'registration_without_resource'
    | 'version_differs'
    | 'image_missing'
    | 'image_without_resource'
  readonly resourceCrn: string
  readonly accountId: string
  readonly keyCrn: string
  readonly ownerAccountId: string
}

export interface Books {
  readonly lines: readonly BookLine[]
  readonly resources: readonly ProvableResource[]
  /** Ids of volumes. */
  readonly images: ReadonlySet<string>
  /** Registered, of this region, and without a resource. */
  readonly absent: ReadonlySet<string>
  /** Of the keys of resources without a registration. */
  readonly states: ReadonlyMap<string, KeyState>
  readonly ownerOf: (keyCrn: string) => string
}

export const pairOf = (one: { readonly resourceCrn: string; readonly keyCrn: string }): string =>
  `${one.resourceCrn} ${one.keyCrn}`

export const idOf = (one: Difference): string => `${one.what} ${pairOf(one)}`

export function differencesIn(books: Books): readonly Difference[] {
  const { lines, resources, images, absent, states, ownerOf } = books
  const found: Difference[] = []
  const lineOf = new Map(lines.map((line) => [pairOf(line), line]))
  for (const line of lines) {
    if (line.registeredVersionId !== line.historyVersionId) found.push({ what: 'history_differs', ...namesOf(line) })
    if (absent.has(line.resourceCrn)) found.push({ what: 'registration_without_resource', ...namesOf(line) })
  }
  for (const resource of resources) {
    const names = { ...namesOf(resource), ownerAccountId: ownerOf(resource.keyCrn) }
    const registered = lineOf.get(pairOf(resource))?.registeredVersionId ?? null
    // A forced deletion takes registrations, and leaves resources that nothing opens.
    const isReleased = states.get(resource.keyCrn) === 'destroyed'
    if (registered === null) {
      if (resource.registration === 'expected' && !isReleased) found.push({ what: 'registration_missing', ...names })
    } else if (resource.registration === 'expected' && registered !== resource.keyVersionId) {
      found.push({ what: 'version_differs', ...names })
    }
    if (resource.image === 'expected' && !images.has(resource.volumeId)) found.push({ what: 'image_missing', ...names })
  }
  const known = new Set(resources.map((resource) => resource.volumeId))
  for (const volumeId of images) {
    if (known.has(volumeId)) continue
    found.push({ what: 'image_without_resource', resourceCrn: volumeId, accountId: '', keyCrn: '', ownerAccountId: '' })
  }
  return found
}

const namesOf = (one: { resourceCrn: string; accountId: string; keyCrn: string; ownerAccountId?: string }) => ({
  resourceCrn: one.resourceCrn,
  accountId: one.accountId,
  keyCrn: one.keyCrn,
  ownerAccountId: one.ownerAccountId ?? '',
})

export interface Counts {
  /** Of any account, under the account's keys, by the ledger and by the registrations. */
  owned_uses: number
  owned_registrations: number
  /** The account's own, under any key. */
  uses: number
  registrations: number
  resources: number
  images: number
  /** Of services that keep their resources elsewhere: they are as they say. */
  elsewhere: number
  /** Under keys whose deletion took their registration away. */
  released: number
}

export function countsIn(books: Books): ReadonlyMap<string, Counts> {
  const counts = new Map<string, Counts>()
  const of = (accountId: string): Counts => {
    const known = counts.get(accountId) ?? { ...nothing }
    counts.set(accountId, known)
    return known
  }
  const resources = new Set(books.resources.map(pairOf))
  const registered = new Set<string>()
  for (const line of books.lines) {
    of(line.ownerAccountId).owned_uses += Number(line.historyVersionId !== null)
    of(line.ownerAccountId).owned_registrations += Number(line.registeredVersionId !== null)
    of(line.accountId).uses += Number(line.historyVersionId !== null)
    of(line.accountId).registrations += Number(line.registeredVersionId !== null)
    const isElsewhere = !resources.has(pairOf(line)) && !books.absent.has(line.resourceCrn)
    of(line.accountId).elsewhere += Number(isElsewhere)
    if (line.registeredVersionId !== null) registered.add(pairOf(line))
  }
  for (const resource of books.resources) {
    of(resource.accountId).resources += 1
    of(resource.accountId).images += Number(books.images.has(resource.volumeId))
    const isReleased = !registered.has(pairOf(resource)) && books.states.get(resource.keyCrn) === 'destroyed'
    of(resource.accountId).released += Number(isReleased)
  }
  return counts
}

export const nothing: Readonly<Counts> = {
  owned_uses: 0,
  owned_registrations: 0,
  uses: 0,
  registrations: 0,
  resources: 0,
  images: 0,
  elsewhere: 0,
  released: 0,
}
