// What of an account somebody should look at, the worst first. Pure.

import { systemClock } from '#base/clock.ts'
import { parseCrn } from '#base/crn.ts'
import type { Answer } from '#client/operations.ts'
import type { KeyOf } from './all-keys.ts'
import { keyStateNames, keyStateOf, plural, timeText } from '#client/words.ts'
import type { Tone } from '#client/words.ts'

type Volume = Answer<'vpc', 'getVolume'>
type Registration = Answer<'kms', 'listKeyRegistrations'>['resources'][number]

export interface Attention {
  readonly tone: Tone
  readonly what: string
  readonly to: string
  readonly name: string
  readonly text: string
}

/** Whoever has resources under a key that ends wants to know this long before. */
const expiresSoonMs = 30 * 24 * 3_600_000

export function attentionOf(
  account: {
    readonly volumes: readonly Volume[]
    readonly keys: readonly KeyOf[]
    readonly registrations: readonly Registration[]
  },
  now = systemClock.now(),
): readonly Attention[] {
  const under = Map.groupBy(account.registrations, (one) => one.keyId)
  const depend = (key: KeyOf): string => `${plural(under.get(key.id)?.length ?? 0, 'resource')} under it`
  const volumes = account.volumes
    .filter(({ status }) => status === 'unusable' || status === 'failed')
    .map(
      (volume): Attention => ({
        tone: 'bad',
        what: volume.status,
        to: `/volumes/${volume.id}`,
        name: volume.name,
        text: [volume.status_reasons[0]?.message, ownerOf(volume)].filter(Boolean).join('; '),
      }),
    )
  const keys = account.keys.flatMap((key): readonly Attention[] => {
    const state = keyStateOf(key.state)
    const shown = { to: `/keys/${key.instanceId}/${key.id}`, name: key.name ?? key.id }
    if (key.dualAuthDelete?.keySetForDeletion) {
      const text = `a second person may delete it until ${timeText(key.dualAuthDelete.authExpiration)}; ${depend(key)}`
      return [{ ...shown, tone: 'bad', what: 'set for deletion', text }]
    }
    if (state === 'suspended' || state === 'deactivated') {
      return [{ ...shown, tone: state === 'suspended' ? 'bad' : 'off', what: keyStateNames[state], text: depend(key) }]
    }
    if (key.expirationDate && Date.parse(key.expirationDate) - now < expiresSoonMs) {
      return [{ ...shown, tone: 'busy', what: 'expires soon', text: `${timeText(key.expirationDate)}; ${depend(key)}` }]
    }
    return []
  })
  return [...volumes, ...keys]
}

const ownerOf = ({ crn, encryption_key: key }: Volume): string => {
  const [own, owner] = [parseCrn(crn)?.accountId, key && parseCrn(key.crn)?.accountId]
  return owner && owner !== own ? `the key is of account ${owner}` : ''
}
