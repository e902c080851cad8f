// Passphrases of files that leave the product: made here, wrapped as the wrap action of the API would, so that whoever may
// use the root key opens them there. Opening them for a disk process is leases.ts.

import type { Clock } from '#base/clock.ts'
import { dataKeyBytes } from '#base/limits.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import { SecretBytes } from '#crypto/secret-bytes.ts'
import { wrapKey } from '#crypto/wrapped-key.ts'
import type { IamPort } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { crnOf, keyNotFound, requireRootKey, requireState } from './key.ts'
import { openVersion } from './key-material.ts'
import { authorizeNamed, locate, parseKeyName } from './key-name.ts'
import { readKey } from './keys.ts'
import { notRegistered } from './leases.ts'
import type { KmsPort } from './port.ts'
import { userOf } from './quarantine.ts'
import type { Watch } from './quarantine.ts'
import { isOwn, requireOwnResource } from './resource.ts'
import { selectRegistration } from './tables-registration.ts'
import { selectVersion } from './tables-version.ts'

export function makePassphrases(parts: {
  readonly reads: Reads
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
  readonly iam: IamPort
  readonly watch: Watch
}): Pick<KmsPort, 'createPassphrase'> {
  const { reads, clock, random, sealer, iam, watch } = parts
  return {
    async createPassphrase({ keyCrn, resourceCrn, as }) {
      const name = parseKeyName(keyCrn)
      requireOwnResource(resourceCrn, as)
      const located = await locate(reads, name)
      // A file that leaves is an image, wherever it goes: bounds that say so are held against it.
      const keyUse = { purpose: 'create-image' } as const
      const grant = await authorizeNamed(iam, { as, action: 'kms.secrets.wrap', name, located, keyUse })
      if (!located) throw keyNotFound(name.keyId)
      const key = await readKey(reads, grant, clock.now())
      requireState(key, 'wrap')
      requireRootKey(key)
      const registration = await selectRegistration(reads, grant, resourceCrn)
      if (!registration || !isOwn(registration, as)) throw notRegistered(resourceCrn)
      const versionId = key.newestVersion.id
      const version = await selectVersion(reads, grant, versionId)
      // Its instance may have been deleted since the key was read, and everything in it with it.
      if (!version) throw keyNotFound(key.id)
      using rootKey = openVersion(sealer, version)
      using passphrase = makePassphrase(random)
      const wrapped = passphrase.use((plaintext) =>
        wrapKey({ plaintext, rootKey, keyId: key.id, versionId, aad: [], random }),
      )
      watch.note(key, userOf(as), 'kms.secrets.wrap', [resourceCrn])
      return { keyCrn: crnOf(key), keyVersionId: versionId, wrapped }
    },
  }
}

/** QEMU and cryptsetup take a passphrase for a text, so it is one: hexadecimal digits, and never a string. */
function makePassphrase(random: Random): SecretBytes {
  using chance = SecretBytes.random(random, dataKeyBytes)
  const digits = new Uint8Array(new ArrayBuffer(dataKeyBytes * 2))
  chance.use((bytes) => {
    for (const [i, byte] of bytes.entries()) {
      digits[2 * i] = digitOf(byte >> 4)
      digits[2 * i + 1] = digitOf(byte & 15)
    }
  })
  return SecretBytes.own(digits)
}

const digitOf = (nibble: number): number => nibble + (nibble < 10 ? 0x30 : 0x61 - 10)
