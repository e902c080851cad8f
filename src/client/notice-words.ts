// Notices in sentences. Pure.

import type { Answer } from './operations.ts'
import { plural } from './words.ts'
import type { Tone } from './words.ts'

type Notice = Answer<'transparency', 'getNotice'>
type Type = Notice['type']
type Data = Notice['event']['data']

const kinds = {
  'key.disabled': ['bad', () => 'The key was disabled: what lies under it has stopped'],
  'key.enabled': ['good', () => 'The key was enabled: what lies under it goes on'],
  'key.deleted': ['bad', () => 'The key was deleted: what lies under it has ended'],
  'key.restored': ['good', () => 'The key was restored'],
  'key.rotated': ['off', () => 'The key was rotated: data keys are re-wrapped by themselves'],
  'key.quarantined': ['busy', () => 'The key is in quarantine: it is to go, and who still uses it is counted'],
  'key.quarantine-lifted': ['good', () => 'The key is out of quarantine'],
  'key.expiring': ['busy', (data) => `The key expires in ${plural(data.days_left ?? 0, 'day')}`],
  'key.expired': ['busy', () => 'The key has expired: nothing new can lie under it'],
  'authorization.removed': ['bad', () => 'The authorization was withdrawn: what lies under the key has stopped'],
  'authorization.restored': ['good', () => 'The authorization was given back'],
  'authorization.expiring': ['busy', (data) => `The authorization ends in ${plural(data.days_left ?? 0, 'day')}`],
  'authorization.expired': ['bad', () => 'The authorization has ended: what lies under the key has stopped'],
  'action.planned': ['busy', (data) => `The key’s owner plans to ${data.plan?.action ?? 'change'} it`],
  'action.withdrawn': ['good', (data) => `The plan to ${data.plan?.action ?? 'change'} the key was withdrawn`],
  'action.overridden': [
    'bad',
    (data) => `The plan to ${data.plan?.action ?? 'change'} the key was carried out over objections`,
  ],
} as const satisfies Record<Type, readonly [Tone, (data: Data) => string]>

export const noticeTone = (type: Type): Tone => kinds[type][0]

export const noticeText = (type: Type, data: Data): string => kinds[type][1](data)
