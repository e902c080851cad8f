// API keys: what somebody shows to receive a token. They are 256 bits and more of chance, so a plain hash keeps them: there
// is nothing to guess slowly.

import { createHash } from 'node:crypto'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'

/** 33 bytes are 44 characters of base64url without padding, the form of IBM Cloud's keys. */
const apiKeyBytes = 33
/** IBM Cloud IAM identity API, "Create an API key": a key that the caller brings along has at least 32 characters. */
const apiKeyLengthMin = 32

export const makeApiKey = (random: Random): string => Buffer.from(random.bytes(apiKeyBytes)).toString('base64url')

export const hashApiKey = (apiKey: string): string => createHash('sha256').update(apiKey).digest('hex')

export function checkApiKey(apiKey: string): void {
  if (apiKey.length < apiKeyLengthMin || /\s/.test(apiKey)) {
    throw new Fault('invalid', `an API key has at least ${apiKeyLengthMin} characters and no spaces`)
  }
}
