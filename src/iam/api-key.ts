// The secret that somebody shows to receive a token. It is 256 bits and more of chance, so a plain hash keeps it: there is
// nothing to guess slowly.

import { createHash } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import { apiKeyLengthMax, apiKeyLengthMin } from '#base/limits.ts'
import type { Random } from '#base/random.ts'

/** 33 bytes are 44 characters of base64url without padding, the form of IBM Cloud's keys. */
const apiKeyBytes = 33

export const makeApiKey = (random: Random): string => Buffer.from(random.bytes(apiKeyBytes)).toString('base64url')

export const hashApiKey = (apiKey: string): string => createHash('sha256').update(apiKey).digest('hex')

export function checkApiKey(apiKey: string): void {
  if (apiKey.length < apiKeyLengthMin || apiKey.length > apiKeyLengthMax || /\s/.test(apiKey)) {
    throw new Fault('invalid', `an API key has ${apiKeyLengthMin} to ${apiKeyLengthMax} characters and no spaces`, {
      target: { type: 'field', name: 'apikey' },
    })
  }
}
