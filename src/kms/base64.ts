// Base64 at the door, as strict as RFC 4648, section 4: one text for one sequence of bytes, with padding.

import { Fault } from '#base/fault.ts'

/** The bytes, owned by the caller. `field` names what was wrong; the text itself may be a secret and is never quoted. */
export function parseBase64(text: string, field: string): Uint8Array {
  const decoded = Buffer.from(text, 'base64')
  if (decoded.toString('base64') === text && text !== '') return decoded
  decoded.fill(0)
  throw invalidField(field, `${field} must be base64`)
}

export const base64 = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64')

/** Key Protect, "Error messages": invalid field error. */
export const invalidField = (name: string, message: string): Fault =>
  new Fault('invalid', message, { reason: 'INVALID_FIELD_ERR', target: { type: 'field', name } })
