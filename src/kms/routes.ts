import { reply } from '#base/contract.ts'
import type { Routes } from '#base/contract.ts'
import type { Anyone, Context } from '#iam/port.ts'
import { askedBy } from './access.ts'
import type { kmsContract, kmsOperatorContract, ownContract } from './contract.ts'
import { acknowledgement } from './acknowledging.ts'
import { importTokenRequest } from './import-tokens.ts'
import { instancePolicyChanges, instancePolicyType } from './instance-policy-request.ts'
import { keyPolicyChange, policyType } from './key-policy-request.ts'
import { newKey, newPlainKey, notYet, opening, wantedKeyRing, wrapping } from './key-request.ts'
import { deleteKey, disableKey, rotateKey } from './dry-run.ts'
import { askedByName } from './key-name.ts'
import { quarantineView, safetyOf, safetyView } from './views-safety.ts'
import type { Kms } from './kms.ts'
import { actOnKey } from './legacy-actions.ts'
import { keyCountRequest, keyListRequest, pageRequest } from './list-request.ts'
import { registrationRequest } from './registering.ts'
import { registrationListRequest } from './registrations.ts'
import {
  createdKey,
  keyPage,
  keyTotal,
  oneKey,
  oneRegistration,
  registrationPage,
  removedKey,
  restoredKey,
  rewrapView,
  unwrapView,
  versionPage,
  wrapView,
} from './views.ts'
import {
  allowedIpPortView,
  importTokenMadeView,
  importTokenView,
  instancePolicyPage,
  keyPolicyPage,
  keyRingPage,
  oneAlias,
  rotationView,
} from './views-settings.ts'

export const kmsRoutes = (kms: Kms): Routes<typeof kmsContract, Context, Anyone> => ({
  ...keyRoutes(kms),
  ...useRoutes(kms),
  ...settingRoutes(kms),
  ...serviceRoutes(kms),
  ...kmipRoutes,
})

type AllRoutes = Routes<typeof kmsContract, Context, Anyone>

const keyRoutes = (kms: Kms) => {
  const { keys, lifecycle, clock } = kms
  return {
    countKeys: async (context, input) =>
      reply(undefined, keyTotal(await keys.count(askedBy(context, input), keyCountRequest(input.query)))),
    listKeys: async (context, input) =>
      keyPage(await keys.list(askedBy(context, input), keyListRequest(input.query)), clock.now()),
    createKey: async (context, input) => {
      const request = newPlainKey(input.body, clock.now())
      return createdKey(input.headers, await keys.create(askedBy(context, input), request), request, clock.now())
    },
    createKeyWithPolicyOverrides: async (context, input) => {
      const request = newKey(input.body, clock.now())
      const created = await keys.createWithOverrides(askedBy(context, input), request)
      return createdKey(input.headers, created, request, clock.now())
    },
    getKey: async (context, input) => oneKey(await keys.get(askedBy(context, input), input.path.id), clock.now()),
    updateKey: async (context, input) =>
      oneKey(await keys.move(askedBy(context, input), input.path.id, wantedKeyRing(input.body)), clock.now()),
    deleteKey: (context, input) => deleteKey(kms, askedBy(context, input), input),
    restoreKey: async (context, input) =>
      restoredKey(input.headers, await lifecycle.restore(askedBy(context, input), input.path.id), clock.now()),
    purgeKey: async (context, input) =>
      removedKey(input.headers, await lifecycle.purge(askedBy(context, input), input.path.id), clock.now()),
    getKeyMetadata: async (context, input) =>
      oneKey(await keys.metadata(askedBy(context, input), input.path.id), clock.now()),
    listKeyVersions: async (context, input) =>
      versionPage(
        await keys.versions(askedBy(context, input), input.path.id, {
          ...pageRequest(input.query),
          allKeyStates: input.query.allKeyStates === true,
        }),
      ),
  } satisfies Partial<AllRoutes>
}

const useRoutes = (kms: Kms) => {
  const { use, lifecycle } = kms
  return {
    actOnKey: (context, input) =>
      actOnKey(kms, askedBy(context, input), { ...input, id: input.path.id, action: input.query.action }),
    wrapKey: async (context, input) =>
      wrapView(await use.wrap(askedBy(context, input), input.path.id, wrapping(input.body))),
    unwrapKey: async (context, input) =>
      unwrapView(await use.unwrap(askedBy(context, input), input.path.id, opening(input.body))),
    rewrapKey: async (context, input) =>
      rewrapView(await use.rewrap(askedBy(context, input), input.path.id, opening(input.body))),
    rotateKey: (context, input) => rotateKey(kms, askedBy(context, input), input),
    disableKey: (context, input) => disableKey(kms, askedBy(context, input), input),
    enableKey: (context, input) => lifecycle.enable(askedBy(context, input), input.path.id),
    setKeyForDeletion: (context, input) => lifecycle.setForDeletion(askedBy(context, input), input.path.id),
    unsetKeyForDeletion: (context, input) => lifecycle.unsetForDeletion(askedBy(context, input), input.path.id),
    syncKey: (context, input) => lifecycle.sync(askedBy(context, input), input.path.id),
  } satisfies Partial<AllRoutes>
}

const settingRoutes = ({ aliases, keyRings, keyPolicies, instancePolicies, importTokens }: Kms) =>
  ({
    createAlias: async (context, input) =>
      oneAlias(await aliases.create(askedBy(context, input), input.path.id, input.path.alias)),
    deleteAlias: (context, input) => aliases.remove(askedBy(context, input), input.path.id, input.path.alias),
    listKeyRings: async (context, input) =>
      keyRingPage(await keyRings.list(askedBy(context, input), pageRequest(input.query))),
    createKeyRing: (context, input) => keyRings.create(askedBy(context, input), input.path.id),
    deleteKeyRing: (context, input) =>
      keyRings.remove(askedBy(context, input), input.path.id, input.query.force === true),
    getKeyPolicies: async (context, input) =>
      keyPolicyPage(await keyPolicies.get(askedBy(context, input), input.path.id, policyType(input.query.policy))),
    setKeyPolicies: async (context, input) =>
      keyPolicyPage(
        await keyPolicies.set(askedBy(context, input), input.path.id, keyPolicyChange(input.body, input.query.policy)),
      ),
    getInstancePolicies: async (context, input) =>
      instancePolicyPage(await instancePolicies.get(askedBy(context, input), instancePolicyType(input.query.policy))),
    setInstancePolicies: (context, input) =>
      instancePolicies.set(askedBy(context, input), instancePolicyChanges(input.body, input.query.policy)),
    getAllowedIpPort: async (context, input) =>
      allowedIpPortView(await instancePolicies.allowedIpPort(askedBy(context, input), context.baseUrl)),
    createImportToken: async (context, input) =>
      importTokenMadeView(await importTokens.create(askedBy(context, input), importTokenRequest(input.body ?? {}))),
    getImportToken: async (context, input) => importTokenView(await importTokens.get(askedBy(context, input))),
  }) satisfies Partial<AllRoutes>

const serviceRoutes = ({ registrations, registering, acknowledging }: Kms) =>
  ({
    listInstanceRegistrations: async (context, input) =>
      registrationPage(await registrations.listAll(askedBy(context, input), registrationListRequest(input.query))),
    listKeyRegistrations: async (context, input) =>
      registrationPage(
        await registrations.listForKey(askedBy(context, input), input.path.id, registrationListRequest(input.query)),
      ),
    createRegistration: async (context, input) =>
      oneRegistration(
        await registering.write(
          askedBy(context, input),
          'create',
          resourceIn(input.path),
          registrationRequest(input.body),
        ),
      ),
    replaceRegistration: async (context, input) =>
      oneRegistration(
        await registering.write(
          askedBy(context, input),
          'replace',
          resourceIn(input.path),
          registrationRequest(input.body),
        ),
      ),
    mergeRegistration: async (context, input) =>
      oneRegistration(
        await registering.write(
          askedBy(context, input),
          'merge',
          resourceIn(input.path),
          registrationRequest(input.body),
        ),
      ),
    deleteRegistration: (context, input) => registering.remove(askedBy(context, input), input.path.id, input.path.crn),
    acknowledgeEvent: (context, input) =>
      acknowledging.acknowledge(askedBy(context, input), input.path.id, acknowledgement(input.body)),
  }) satisfies Partial<AllRoutes>

const resourceIn = (path: { readonly id: string; readonly crn: string }) => ({ id: path.id, resourceCrn: path.crn })

const noKmip = (): Promise<never> => Promise.reject(notYet('KMIP', 'parameter'))

const kmipRoutes = {
  listKmipAdapters: noKmip,
  createKmipAdapter: noKmip,
  getKmipAdapter: noKmip,
  deleteKmipAdapter: noKmip,
  listKmipCertificates: noKmip,
  createKmipCertificate: noKmip,
  getKmipCertificate: noKmip,
  deleteKmipCertificate: noKmip,
  listKmipObjects: noKmip,
  getKmipObject: noKmip,
  deleteKmipObject: noKmip,
} satisfies Partial<AllRoutes>

export const ownRoutes = ({
  rotationProgress,
  metrics,
  quarantine,
  keySafety,
  revocations,
}: Kms): Routes<typeof ownContract, Context, Anyone> => ({
  getKeyRotation: async (context, input) => rotationView(await rotationProgress.report(...askedByName(context, input))),
  quarantineKey: async (context, input) => quarantineView(await quarantine.begin(...askedByName(context, input))),
  getKeyQuarantine: async (context, input) => quarantineView(await quarantine.get(...askedByName(context, input))),
  liftKeyQuarantine: (context, input) => quarantine.lift(...askedByName(context, input)),
  getKeySafety: async (context, { query }) => safetyView(await keySafety.get(context, query.account_id)),
  replaceKeySafety: async (context, { query, body }) =>
    safetyView(await keySafety.set(context, query.account_id, safetyOf(body))),
  getMetrics: async (context, { query }) =>
    reply(await metrics.text(context, query.account_id), {
      'content-type': 'text/plain; version=0.0.4; charset=utf-8',
    }),
  listRevocations: (context, { query }) => revocations.list(context, query),
})

export const kmsOperatorRoutes = ({ instancePolicies }: Kms): Routes<typeof kmsOperatorContract, Anyone, Anyone> => ({
  liftNetworkPolicies: (_, { path }) => instancePolicies.liftNetworkPolicies(path.instance_id),
})
