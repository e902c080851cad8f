// How a client proves over TLS that it may have an export: a pre-shared key that is derived, not stored, so that it holds
// across restarts of this process. The identity names the attachment and the moment until which the key admits:
// `<attachment id>.<seconds since 1970>`; the key is HMAC-SHA256 of the identity under a secret of the process tree.

import { createHmac } from 'node:crypto'

export interface Admission {
  readonly attachmentId: string
  readonly expiresAt: number
}

export function formatIdentity({ attachmentId, expiresAt }: Admission): string {
  return `${attachmentId}.${Math.ceil(expiresAt / 1000)}`
}

/** Null when the text is no identity. Whether it is genuine shows when both sides use its key. */
export function parseIdentity(identity: string): Admission | null {
  const match = /^([A-Za-z0-9_-]{1,128})\.([1-9][0-9]{0,11})$/.exec(identity)
  const [, attachmentId, seconds] = match ?? []
  if (attachmentId === undefined || seconds === undefined) return null
  return { attachmentId, expiresAt: Number(seconds) * 1000 }
}

/** 32 bytes, owned by the caller. */
export const deriveKey = (accessSecret: Uint8Array, identity: string): Buffer =>
  createHmac('sha256', accessSecret).update(identity, 'utf8').digest()
