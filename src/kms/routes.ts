import { reply } from '#base/contract.ts'
import type { Routes } from '#base/contract.ts'
import type { Anyone, Context } from '#iam/port.ts'
import { askedBy } from './access.ts'
import type { kmsContract } from './contract.ts'
import {
  keyFilterRequest,
  keyListRequest,
  newKey,
  opening,
  pageRequest,
  rotationPayload,
  wrapping,
} from './key-request.ts'
import type { Kms } from './kms.ts'
import { registrationListRequest } from './registrations.ts'
import {
  createdKey,
  deletedKey,
  keyPage,
  keyTotal,
  oneKey,
  registrationPage,
  rewrapView,
  unwrapView,
  versionPage,
  wrapView,
} from './views.ts'

export const kmsRoutes = (kms: Kms): Routes<typeof kmsContract, Context, Anyone> => {
  const { keys, use, lifecycle, registrations, clock } = kms
  return {
    countKeys: async (context, input) =>
      reply(undefined, keyTotal(await keys.count(askedBy(context, input), keyFilterRequest(input.query)))),
    listKeys: async (context, input) => keyPage(await keys.list(askedBy(context, input), keyListRequest(input.query))),
    createKey: async (context, input) =>
      createdKey(input.headers, await keys.create(askedBy(context, input), newKey(input.body, clock.now()))),
    listInstanceRegistrations: async (context, input) =>
      registrationPage(await registrations.listAll(askedBy(context, input), registrationListRequest(input.query))),
    getKey: async (context, input) => oneKey(await keys.get(askedBy(context, input), input.path.id)),
    deleteKey: async (context, input) =>
      deletedKey(
        input.headers,
        await lifecycle.remove(askedBy(context, input), input.path.id, input.query.force === true),
      ),
    getKeyMetadata: async (context, input) => oneKey(await keys.metadata(askedBy(context, input), input.path.id)),
    listKeyVersions: async (context, input) =>
      versionPage(
        await keys.versions(askedBy(context, input), input.path.id, {
          ...pageRequest(input.query),
          allKeyStates: input.query.allKeyStates === true,
        }),
      ),
    listKeyRegistrations: async (context, input) =>
      registrationPage(
        await registrations.listForKey(askedBy(context, input), input.path.id, registrationListRequest(input.query)),
      ),
    wrapKey: async (context, input) =>
      wrapView(await use.wrap(askedBy(context, input), input.path.id, wrapping(input.body))),
    unwrapKey: async (context, input) =>
      unwrapView(await use.unwrap(askedBy(context, input), input.path.id, opening(input.body))),
    rewrapKey: async (context, input) =>
      rewrapView(await use.rewrap(askedBy(context, input), input.path.id, opening(input.body))),
    rotateKey: (context, input) =>
      lifecycle.rotate(askedBy(context, input), input.path.id, rotationPayload(input.body)),
    disableKey: (context, input) => lifecycle.disable(askedBy(context, input), input.path.id),
    enableKey: (context, input) => lifecycle.enable(askedBy(context, input), input.path.id),
  }
}
