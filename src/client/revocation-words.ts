// Revocations in the words of people. Pure.

import type { RevocationCause, RevocationState } from '#kms/revocation-state.ts'
import type { Answer } from './operations.ts'
import { plural, timeText } from './words.ts'
import type { Tone } from './words.ts'

type Revocation = Answer<'keyward', 'listRevocations'>['revocations'][number]
type Holder = Revocation['unacknowledged'][number]

export const causeNames = {
  'key.disabled': 'Key disabled',
  'key.deleted': 'Key deleted',
  'key.expired': 'Key expired',
  'authorization.removed': 'Authorization withdrawn',
  'authorization.expired': 'Authorization ended',
  'account.disabled': 'Account disabled',
} as const satisfies Record<RevocationCause, string>

export const revocationStateNames = {
  'under-way': 'under way',
  idle: 'nothing was open',
  acknowledged: 'acknowledged',
  lapsed: 'not acknowledged',
} as const satisfies Record<RevocationState, string>

export const revocationTones = {
  'under-way': 'busy',
  idle: 'off',
  acknowledged: 'good',
  lapsed: 'bad',
} as const satisfies Record<RevocationState, Tone>

const number = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 })

/** As short as people say it: 7 ms, 1.25 s. */
export function secondsText(seconds: number | null): string {
  if (seconds === null) return '–'
  return seconds < 1 ? `${number.format(seconds * 1000)} ms` : `${number.format(seconds)} s`
}

/** What is known of a holder that has not signed that it stopped, and above all by when it can serve no more. */
export function holderText({ leases, leases_end_at: at, ended }: Holder): string {
  switch (ended) {
    case null:
      return `has not acknowledged yet; its ${plural(leases, 'lease')} will have ended by ${timeText(at)}`
    case 'process':
      return 'did not acknowledge; its process has ended'
    case 'lease':
      return `did not acknowledge; its ${plural(leases, 'lease')} had ended by ${timeText(at)}`
  }
}
