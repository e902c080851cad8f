// Material for a new key or a new version, however it comes: made here, brought in the clear, or brought under an import
// token; and whether the policies of the instance admit that. Source: Key Protect, "Managing a key create and import
// access policy", "Importing root keys".

import type { Clock } from '#base/clock.ts'
import { Fault } from '#base/fault.ts'
import type { Random } from '#base/random.ts'
import type { Sealer } from '#base/sealer.ts'
import type { SecretBytes } from '#crypto/secret-bytes.ts'
import type { Grant } from '#iam/port.ts'
import type { Reads } from '#store/database.ts'
import { openWithToken } from './import-tokens.ts'
import { generateMaterial, importMaterial, requireRootKeyLength } from './key-material.ts'
import type { ImportedMaterial } from './key-request.ts'
import { creationForbiddenBy } from './policy.ts'
import type { InstancePolicies, Material } from './policy.ts'

export interface MaterialParts {
  readonly clock: Clock
  readonly random: Random
  readonly sealer: Sealer
}

/** Owned by the caller. */
export async function newMaterial(
  { clock, random, sealer }: MaterialParts,
  reads: Reads,
  grant: Grant,
  wanted: { readonly extractable: boolean; readonly imported: ImportedMaterial | null },
): Promise<SecretBytes> {
  const { extractable, imported } = wanted
  if (!imported) return generateMaterial(random)
  const { payload, transport } = imported
  if (!transport) return importMaterial(payload, extractable ? 'standard' : 'root')
  if (extractable) {
    throw new Fault('invalid', 'an import token carries root keys alone', { reason: 'KEY_ROOT_REQ_ERR' })
  }
  const material = await openWithToken({ reads, sealer, grant, payload, transport, now: clock.now() })
  try {
    requireRootKeyLength(material.byteCount)
    return material
  } catch (error) {
    material[Symbol.dispose]()
    throw error
  }
}

export function requireCreationAccess(
  policies: InstancePolicies,
  wanted: { readonly extractable: boolean; readonly material: Material },
): void {
  const attribute = creationForbiddenBy(policies, wanted)
  if (attribute === null) return
  throw new Fault('conflict', `the key create and import access policy of the instance forbids it (${attribute})`, {
    reason: 'KEY_CREATE_IMPORT_ACCESS_ERR',
  })
}

export function kindOfMaterial(imported: ImportedMaterial | null): Material {
  if (!imported) return 'generated'
  return imported.transport ? 'importedSecurely' : 'imported'
}
