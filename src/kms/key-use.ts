// What root keys are for: wrapping other keys and opening them again. Nothing is stored, so nothing is written here; a
// wrap that began before a disable was committed is one that came before it.
// Source: Key Protect, "Wrapping keys", "Unwrapping keys", "Rewrapping keys".

import type { Clock } from '#base/clock.ts'
import { generatedKeyBytes, wrapPlaintextBytesMax } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { unwrapKey, versionOf, wrapKey, wrappedKeyRefusal } from '#crypto/wrapped-key.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import type { Access, Asked } from './access.ts'
import { base64, invalidField, parseBase64 } from './base64.ts'
import { keyNotFound, requireRootKey, requireState } from './key.ts'
import type { Key } from './key.ts'
import { openVersion } from './key-material.ts'
import type { Opening, Wrapping } from './key-request.ts'
import type { KeyAction } from './key-state.ts'
import { readKey } from './keys.ts'
import { userOf } from './quarantine.ts'
import type { KeyUser, Watch } from './quarantine.ts'
import { keyIdOf } from './tables-rows.ts'
import { selectVersion } from './tables-version.ts'

/** Texts in base64, as the wire has them: what comes in and goes out here is the caller's own secret. */
export interface Wrapped {
  readonly ciphertext: string
  readonly versionId: string
  /** Only where the plaintext was made here. */
  readonly plaintext: string | null
}

export interface Unwrapped {
  readonly plaintext: string
  /** The version that opened it. */
  readonly versionId: string
  /** Where that is not the newest: the same plaintext under the newest. */
  readonly rewrapped: { readonly ciphertext: string; readonly versionId: string } | null
}

export interface Rewrapped {
  readonly ciphertext: string
  readonly openedById: string
  readonly versionId: string
}

export type KeyUse = ReturnType<typeof makeKeyUse>

export function makeKeyUse(parts: {
  readonly reads: Reads
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly access: Access
  readonly watch: Watch
}) {
  const { reads, clock, random, sealer, access, watch } = parts

  async function wrap(asked: Asked, id: string, request: Wrapping): Promise<Wrapped> {
    const grant = await access.key(asked, 'kms.secrets.wrap', id)
    const key = await usableKey(grant, 'wrap')
    using plaintext =
      request.plaintext === null ? SecretBytes.random(random, generatedKeyBytes) : parsePlaintext(request.plaintext)
    const ciphertext = await wrapNewest(grant, key, plaintext, request.aad)
    return {
      ciphertext,
      versionId: key.newestVersion.id,
      plaintext: request.plaintext === null ? plaintext.use(base64) : null,
    }
  }

  async function unwrap(asked: Asked, id: string, request: Opening): Promise<Unwrapped> {
    const grant = await access.key(asked, 'kms.secrets.unwrap', id)
    const key = await usableKey(grant, 'unwrap')
    const opened = await open(grant, request)
    using plaintext = opened.plaintext
    const newestId = key.newestVersion.id
    const rewrapped =
      opened.versionId === newestId
        ? null
        : { versionId: newestId, ciphertext: await wrapNewest(grant, key, plaintext, request.aad) }
    return { plaintext: plaintext.use(base64), versionId: opened.versionId, rewrapped }
  }

  async function rewrap(asked: Asked, id: string, request: Opening): Promise<Rewrapped> {
    const grant = await access.key(asked, 'kms.secrets.rewrap', id)
    const key = await usableKey(grant, 'rewrap')
    const opened = await open(grant, request)
    using plaintext = opened.plaintext
    const ciphertext = await wrapNewest(grant, key, plaintext, request.aad)
    return { ciphertext, openedById: opened.versionId, versionId: key.newestVersion.id }
  }

  async function usableKey(grant: UseGrant, action: KeyAction): Promise<Key> {
    const key = await readKey(reads, grant, clock.now())
    requireState(key, action)
    requireRootKey(key)
    watch.note(key, callerAsUser(grant), grant.action, [null])
    return key
  }

  async function wrapNewest(
    grant: UseGrant,
    key: Key,
    plaintext: SecretBytes,
    aad: readonly string[],
  ): Promise<string> {
    const versionId = key.newestVersion.id
    const version = await selectVersion(reads, grant, versionId)
    // Its instance may have been deleted since the key was read, and everything in it with it.
    if (!version) throw keyNotFound(key.id)
    using rootKey = openVersion(sealer, version)
    return base64(
      plaintext.use((bytes) => wrapKey({ plaintext: bytes, rootKey, keyId: key.id, versionId, aad, random })),
    )
  }

  async function open(
    grant: UseGrant,
    { ciphertext, aad }: Opening,
  ): Promise<{ plaintext: SecretBytes; versionId: string }> {
    const wrapped = parseBase64(ciphertext, 'ciphertext')
    return await openWrapped({ reads, sealer, grant, wrapped, aad })
  }

  return { wrap, unwrap, rewrap }
}

const callerAsUser = ({ subject }: UseGrant): KeyUser =>
  'iamId' in subject ? { accountId: subject.accountId, user: subject.iamId } : userOf(subject)

type UseGrant = Grant<'kms.secrets.wrap' | 'kms.secrets.unwrap' | 'kms.secrets.rewrap'>

/** Opens wrapped bytes with the version of the grant's key that they name. The plaintext is owned by the caller. */
export async function openWrapped(request: {
  readonly reads: Reads
  readonly sealer: Sealer
  readonly grant: UseGrant
  readonly wrapped: Uint8Array
  readonly aad: readonly string[]
}): Promise<{ plaintext: SecretBytes; versionId: string }> {
  const { reads, sealer, grant, wrapped, aad } = request
  const versionId = versionOf(wrapped)
  const version = versionId === null ? null : await selectVersion(reads, grant, versionId)
  if (!version) throw wrappedKeyRefusal()
  using rootKey = openVersion(sealer, version)
  return { plaintext: unwrapKey({ wrapped, rootKey, keyId: keyIdOf(grant), aad }), versionId: version.id }
}

/** Undocumented how much may be wrapped; a ceiling of ours, with the code for a wrong field. */
function parsePlaintext(text: string): SecretBytes {
  const bytes = parseBase64(text, 'plaintext')
  try {
    if (bytes.length > wrapPlaintextBytesMax) {
      throw invalidField('plaintext', `plaintext must have at most ${wrapPlaintextBytesMax} bytes`)
    }
    return SecretBytes.copyOf(bytes)
  } finally {
    bytes.fill(0)
  }
}
