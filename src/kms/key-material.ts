// Where root key material is born, sealed and opened. It is in the clear only inside a SecretBytes, and in the database
// only sealed for the row it lies in.

import { generatedKeyBytes, rootKeyBytes, standardKeyBytesMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { invalidField, parseBase64 } from './base64.ts'
import { versionPurpose } from './key.ts'
import type { SealedVersion } from './key.ts'

/** Key Protect, "Creating keys": 256 bits, whatever the kind. */
export const generateMaterial = (random: Random): SecretBytes => SecretBytes.random(random, generatedKeyBytes)

/**
 * Material that a caller brought, owned by the one who asked for it. Its base64 text came in with the request and cannot
 * be wiped; the bytes are.
 */
export function importMaterial(payload: string, kind: 'root' | 'standard'): SecretBytes {
  const bytes = parseBase64(payload, 'payload')
  try {
    if (kind === 'root') requireRootKeyLength(bytes.length)
    if (bytes.length > standardKeyBytesMax) {
      throw invalidField('payload', `payload must have at most ${standardKeyBytesMax} bytes`)
    }
    return SecretBytes.copyOf(bytes)
  } finally {
    bytes.fill(0)
  }
}

/** Key Protect, "Importing root keys": the lengths of AES keys, however they come in. */
export function requireRootKeyLength(byteCount: number): void {
  if (rootKeyBytes.includes(byteCount)) return
  throw invalidField('payload', `payload of a root key must have ${rootKeyBytes.join(', ')} bytes`)
}

export function sealVersion(
  sealer: Sealer,
  version: Omit<SealedVersion, 'sealedMaterial'>,
  material: SecretBytes,
): SealedVersion {
  return { ...version, sealedMaterial: material.use((bytes) => sealer.seal(versionPurpose(version), bytes)) }
}

/** Owned by the caller. */
export const openVersion = (sealer: Sealer, version: SealedVersion): SecretBytes =>
  SecretBytes.own(sealer.open(versionPurpose(version), version.sealedMaterial))
