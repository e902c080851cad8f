// The old form of the actions, `POST /keys/{id}?action=NAME`: each does what its own operation does. Deprecated, and older
// clients still send it. Source: Key Protect API v2, "Invoke an action on a key".

import type { Static } from 'typebox'
import { reply } from '#base/contract.ts'
import type { Reply } from '#base/contract.ts'
import { unreachable } from '#base/fault.ts'
import type { Asked } from './access.ts'
import { invalidField } from './base64.ts'
import { invalidParameter } from './envelope.ts'
import { opening, rotationMaterial, wrapping } from './key-request.ts'
import type { Kms } from './kms.ts'
import type { anyActionBody, keyCollection, rewrapReply, unwrapReply, wrapReply } from './schemas.ts'
import { restoredKey, rewrapView, unwrapView, wrapView } from './views.ts'
import type { Headers } from './views.ts'

const actions = [
  ...(['disable', 'enable', 'restore', 'rewrap', 'rotate'] as const),
  ...(['setKeyForDeletion', 'sync', 'unsetKeyForDeletion', 'unwrap', 'wrap'] as const),
] as const

type Body = Static<typeof anyActionBody> | undefined

type Answer =
  | Static<typeof wrapReply>
  | Static<typeof unwrapReply>
  | Static<typeof rewrapReply>
  | Static<typeof keyCollection>
  | Reply<Static<typeof keyCollection> | undefined>

export async function actOnKey(
  { use, lifecycle, clock }: Kms,
  asked: Asked,
  request: { readonly id: string; readonly action: string; readonly headers: Headers; readonly body: Body },
): Promise<Answer> {
  const { id, headers } = request
  const body = request.body ?? undefined
  const action = actions.find((name) => name === request.action)
  if (!action) throw invalidParameter('action', `action must be one of ${actions.join(', ')}`)
  switch (action) {
    case 'wrap':
      return wrapView(await use.wrap(asked, id, wrapping(body)))
    case 'unwrap':
      return unwrapView(await use.unwrap(asked, id, opening(withCiphertext(body))))
    case 'rewrap':
      return rewrapView(await use.rewrap(asked, id, opening(withCiphertext(body))))
    case 'rotate':
      return await done(lifecycle.rotate(asked, id, rotationMaterial(body)))
    case 'restore':
      return restoredKey(headers, await lifecycle.restore(asked, id), clock.now())
    case 'disable':
    case 'enable':
    case 'sync':
      return await done(lifecycle[action](asked, id))
    case 'setKeyForDeletion':
      return await done(lifecycle.setForDeletion(asked, id))
    case 'unsetKeyForDeletion':
      return await done(lifecycle.unsetForDeletion(asked, id))
    default:
      return unreachable(action)
  }
}

async function done(work: Promise<void>): Promise<Reply<undefined>> {
  await work
  return reply(undefined, {}, 204)
}

function withCiphertext(body: Exclude<Body, null>) {
  if (body === undefined) return undefined
  const { ciphertext } = body
  if (ciphertext === undefined) throw invalidField('ciphertext', 'ciphertext is required')
  return { ...body, ciphertext }
}
