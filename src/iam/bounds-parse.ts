// Bounds from the wire: what JSON Schema cannot say. What would bound nothing, or everything, is refused by name, so that
// nobody believes in a bound that is none.

import type { Static } from 'typebox'
import { boundAheadMsMax } from '#base/limits.ts'
import { Fault } from '#base/fault.ts'
import type { Bounds } from './bounds.ts'
import type { bounds as boundsSchema } from './contract-bounds.ts'
import { valueOf } from './policy.ts'
import type { Policy, PolicyDraft } from './policy.ts'

export type SentBounds = Static<typeof boundsSchema>

/** What keys may be used for here: volumes have these profiles, in these zones. */
export interface KeyPlaces {
  readonly profiles: readonly string[]
  readonly zones: readonly string[]
}

/** The draft with the bounds that were sent; with those that the policy has where none were, without any for null. */
export function boundedDraft(
  draft: PolicyDraft,
  sent: SentBounds | null | undefined,
  before: Policy | null = null,
): PolicyDraft {
  const kept = before?.sent.bounds
  const wanted = sent === undefined ? kept : sent
  if (!wanted) return draft
  checkBoundable(draft, wanted, sent === undefined)
  const bounds = parseBounds(wanted)
  return { ...draft, sent: { ...draft.sent, bounds: wanted }, facts: { ...draft.facts, bounds } }
}

/** By the clock of keys and by what there is. What the policy said before is not held against whoever sends it back. */
export function checkBounds(
  { sent, facts }: PolicyDraft,
  before: Policy | null,
  { now, places }: { readonly now: number; readonly places: KeyPlaces },
): void {
  const { bounds } = facts
  if (!bounds) return
  const { expiresAt } = bounds
  if (expiresAt !== undefined && expiresAt !== before?.facts.bounds?.expiresAt) {
    if (expiresAt <= now) throw wrong('expires_at', `${sent.bounds?.expires_at} is not in the future`)
    if (expiresAt > now + boundAheadMsMax) throw wrong('expires_at', 'lies more than 100 years ahead: leave it out')
  }
  for (const name of ['profiles', 'zones'] as const) {
    const unknown = bounds[name]?.find((one) => !places[name].includes(one))
    if (unknown === undefined) continue
    throw wrong(name, `${JSON.stringify(unknown)} is none: there are ${places[name].join(', ')}`)
  }
}

function parseBounds(sent: SentBounds): Bounds {
  const { mode = 'enforce', profiles, zones, purposes } = sent
  if (Object.keys(sent).every((name) => name === 'mode')) {
    throw wrong(null, 'name at least one bound beside mode; null takes bounds away')
  }
  if (purposes && !purposes.includes('attach')) {
    throw wrong('purposes', 'without attach nothing could be opened that lies under the key')
  }
  if (purposes && !purposes.includes('create-volume')) {
    const idle = (['max_volumes', 'max_capacity_gb', 'profiles', 'zones'] as const).find(
      (name) => sent[name] !== undefined,
    )
    if (idle) throw wrong(idle, 'bounds new volumes, of which purposes without create-volume permits none')
  }
  return {
    mode,
    ...(sent.expires_at !== undefined && { expiresAt: Date.parse(sent.expires_at) }),
    ...(sent.max_volumes !== undefined && { maxVolumes: sent.max_volumes }),
    ...(sent.max_capacity_gb !== undefined && { maxCapacityGb: sent.max_capacity_gb }),
    ...(profiles && { profiles }),
    ...(zones && { zones }),
    ...(purposes && { purposes }),
  }
}

/** Only block storage says what it makes, so only it can be held to more than a time. */
function checkBoundable({ type, facts }: PolicyDraft, sent: SentBounds, isKept: boolean): void {
  const more = isKept ? ': the policy has some, and null takes them away' : ''
  const serviceName = valueOf(facts.resource, 'serviceName')
  if (type !== 'authorization' || (serviceName !== 'kms' && serviceName !== 'hs-crypto')) {
    throw wrong(null, `are for authorizations whose resource has serviceName kms or hs-crypto${more}`)
  }
  if (valueOf(facts.subject, 'serviceName') === 'server-protect') return
  const told = (['max_volumes', 'max_capacity_gb', 'profiles', 'zones', 'purposes'] as const).find(
    (name) => sent[name] !== undefined,
  )
  if (told) throw wrong(told, `is for authorizations whose subject has serviceName server-protect${more}`)
}

function wrong(member: keyof SentBounds | null, message: string): Fault {
  const name = member === null ? 'bounds' : `bounds.${member}`
  return new Fault('invalid', `${name}: ${message}`, { target: { type: 'field', name } })
}
