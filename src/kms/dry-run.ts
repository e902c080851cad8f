// Actions that may be tried: with `dry_run=true` every rule is asked and nothing is done. Keyward's own; without it they
// are Key Protect's.

import type { Static } from 'typebox'
import type { Reply } from '#base/contract.ts'
import type { Asked } from './access.ts'
import { rotationMaterial } from './key-request.ts'
import type { Kms } from './kms.ts'
import type { keyCollection, rotateBody } from './schemas.ts'
import { removedKey, wouldBeDone } from './views.ts'
import type { Headers } from './views.ts'

interface Tried {
  readonly path: { readonly id: string }
  readonly query: { readonly dry_run?: boolean }
}

export async function disableKey({ lifecycle }: Kms, asked: Asked, { path, query }: Tried) {
  if (query.dry_run !== true) return await lifecycle.disable(asked, path.id)
  await lifecycle.tryDisable(asked, path.id)
  return wouldBeDone()
}

export async function rotateKey(
  { lifecycle }: Kms,
  asked: Asked,
  { path, query, body }: Tried & { readonly body: Static<typeof rotateBody> | undefined },
) {
  if (query.dry_run !== true) return await lifecycle.rotate(asked, path.id, rotationMaterial(body))
  await lifecycle.tryRotate(asked, path.id, rotationMaterial(body))
  return wouldBeDone()
}

export async function deleteKey(
  { lifecycle, clock }: Kms,
  asked: Asked,
  { path, query, headers }: Tried & { readonly query: { readonly force?: boolean }; readonly headers: Headers },
): Promise<Static<typeof keyCollection> | Reply<undefined>> {
  const force = query.force === true
  if (query.dry_run !== true) return removedKey(headers, await lifecycle.remove(asked, path.id, force), clock.now())
  await lifecycle.tryRemove(asked, path.id, force)
  return wouldBeDone()
}
