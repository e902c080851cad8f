// Whether a text can be the CRN of a key, before anybody is asked. Pure; the server's own check is vpc/volume-key.ts.

import { parseCrn, parseShortKeyCrn } from '#base/crn.ts'
import type { Crn } from '#base/crn.ts'

export function keyOfCrn(text: string): Crn | null {
  const crn = parseCrn(text.trim()) ?? parseShortKeyCrn(text.trim())
  return crn && crn.resourceType === 'key' && crn.resource !== '' && crn.accountId !== '' ? crn : null
}

export function crnProblem(text: string): string | null {
  if (keyOfCrn(text)) return null
  const crn = parseCrn(text.trim())
  if (!crn) return 'That is no CRN: ten parts between colons, beginning with crn:v1.'
  if (crn.resource === '') return 'That is the CRN of an instance. The key’s own ends in key: and its id.'
  return `That is the CRN of a ${crn.resourceType || crn.serviceName}, not of a key.`
}
