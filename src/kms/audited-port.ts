// The port, with a record of every use of a key across it: a service of one account that wraps, opens or registers under
// a key of another shows in both trails. What only asks (standings, renewals, listings of one's own) leaves no record.

import { Fault } from '#base/fault.ts'
import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import type { AuditData } from '#events/audit-record.ts'
import { failed, initiatorOf, initiatorTypes, statusOfFault } from '#events/audit-call.ts'
import type { Audit, Draft } from '#events/audit.ts'
import type { ServiceSubject } from '#iam/port.ts'
import { typeUriOf } from './audit.ts'
import { keyNameOf } from './key-name.ts'
import type { KeyAsk, KmsPort, RewrapRequest, WrappedDataKey } from './port.ts'
import { serviceIamId } from './resource.ts'
import { actionOf } from './service-name.ts'

interface Use {
  readonly keyCrn: string
  readonly as: ServiceSubject
  /** Of one resource, or of several. */
  readonly resourceCrn?: string
  readonly resourceCrns?: readonly string[]
}

const resourcesOf = ({ resourceCrn, resourceCrns }: Use): AuditData => ({
  ...(resourceCrn !== undefined && { resourceCRN: resourceCrn }),
  ...(resourceCrns !== undefined && { resourceCRNs: resourceCrns }),
})

const manyUses = ({ keyCrn, as, held }: RewrapRequest): Use => ({
  keyCrn,
  as,
  resourceCrns: held.map(({ resourceCrn }) => resourceCrn),
})

/** Where nothing had to be written, and of those that were refused: why. */
const rewrapData =
  ({ held }: RewrapRequest) =>
  (results: readonly (WrappedDataKey | Fault)[]): AuditData => {
    const refused = results.flatMap((result, i) =>
      result instanceof Fault ? [{ resourceCRN: held[i]?.resourceCrn, reason: result.message }] : [],
    )
    const done = results.find((result) => !(result instanceof Fault))
    return {
      ...(done && !(done instanceof Fault) && { rewrappedKeyVersionId: done.keyVersionId }),
      ...(refused.length > 0 && { refused }),
    }
  }

export function auditedPort(port: KmsPort, audit: Audit, random: Random): KmsPort {
  function watch<T>(verb: string, use: Use, serve: () => Promise<T>, dataOf: (result: T) => AuditData): Promise<T> {
    const draft = draftOf(verb, use, makeUuid(random))
    return audit.watch({
      draft: () => draft,
      serve,
      endOf: (result) => ({ status: draft.status, responseData: { ...dataOf(result), ...resourcesOf(use) } }),
      failureOf: (error) => failed(statusOfFault(error, 401), error),
    })
  }

  return {
    ...port,
    createDataKey: (use) =>
      watch(
        'secrets.wrap',
        use,
        () =>
          watch(
            'registrations.create',
            use,
            () => port.createDataKey(use),
            ({ keyVersionId }) => ({ keyVersionId }),
          ),
        ({ keyVersionId }) => ({ keyVersionId }),
      ),
    createPassphrase: (use) =>
      watch(
        'secrets.wrap',
        use,
        () => port.createPassphrase(use),
        ({ keyVersionId }) => ({ keyVersionId }),
      ),
    // One call, one record of each kind, which name all its resources.
    rewrapDataKeys: (request) =>
      watch(
        'secrets.rewrap',
        manyUses(request),
        () => watch('registrations.write', manyUses(request), () => port.rewrapDataKeys(request), rewrapData(request)),
        rewrapData(request),
      ),
    leaseDataKey: (holderId, request) =>
      watch(
        'secrets.unwrap',
        request,
        () => port.leaseDataKey(holderId, request),
        ({ leaseId }) => ({ leaseId }),
      ),
    unregister: (use) =>
      watch(
        'registrations.delete',
        use,
        () => port.unregister(use),
        () => ({}),
      ),
  }
}

/** An action on a key that somebody does by another way than the API: recorded as if it had come by that. */
export function watchAction(
  audit: Audit,
  action: string,
  { caller, remoteAddress, key }: KeyAsk,
  correlationId: string,
  serve: () => Promise<void>,
): Promise<void> {
  const name = keyNameOf(key)
  const named = actionOf(name?.serviceName ?? 'kms', action)
  const target = { id: key, typeURI: typeUriOf(named) }
  const initiator = initiatorOf({ caller, anyone: { remoteAddress }, headers: {} })
  const draft: Draft = {
    action: named,
    ownerAccountId: name?.accountId ?? null,
    initiator,
    target,
    targetForStrangers: target,
    correlationId,
    requestData: {},
    status: action === 'kms.secrets.delete' ? 200 : 204,
  }
  return audit.watch({
    draft: () => draft,
    serve,
    endOf: () => ({ status: draft.status, responseData: {} }),
    failureOf: (error) => failed(statusOfFault(error, 401), error),
  })
}

function draftOf(verb: string, use: Use, correlationId: string): Draft {
  const { keyCrn, as } = use
  const name = keyNameOf(keyCrn)
  const action = `${name?.serviceName ?? 'kms'}.${verb}`
  const target = { id: keyCrn, typeURI: typeUriOf(action) }
  return {
    action,
    ownerAccountId: name?.accountId ?? null,
    initiator: {
      id: serviceIamId(as),
      name: as.serviceName,
      typeURI: initiatorTypes.service,
      accountId: as.accountId,
    },
    target,
    // The service named the key in full: there is nothing to hide from it.
    targetForStrangers: target,
    correlationId,
    requestData: resourcesOf(use),
    // As the documented operations answer.
    status: { 'registrations.create': 201, 'registrations.delete': 204 }[verb] ?? 200,
  }
}
