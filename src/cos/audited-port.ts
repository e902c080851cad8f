// The port, with a record of each use of a bucket across it: a service of one account that reads or writes objects of
// another shows in both trails. What is only asked is recorded where it is refused.

import { makeUuid } from '#base/id.ts'
import type { Random } from '#base/random.ts'
import { failed, initiatorTypes, statusOfFault } from '#events/audit-call.ts'
import type { Audit, Draft } from '#events/audit.ts'
import { formatCrn } from '#base/crn.ts'
import type { ServiceSubject } from '#iam/port.ts'
import type { Database } from '#store/database.ts'
import { bucketPlace, idsOf, saidName, typeUriOf } from './audit.ts'
import { serviceName } from './bucket.ts'
import type { CosPort, ObjectName } from './port.ts'

type Use = ObjectName & { readonly as: ServiceSubject }

export function auditedPort(
  port: CosPort,
  { audit, database, random }: { readonly audit: Audit; readonly database: Database; readonly random: Random },
): CosPort {
  async function watch<T>(noun: string, use: Use, serve: () => Promise<T>): Promise<T> {
    const place = await bucketPlace(database.reads, use.bucket)
    const draft = draftOf(noun, use, place, makeUuid(random))
    return await audit.watch({
      draft: () => draft,
      serve,
      endOf: () => ({ status: draft.status, responseData: idsOf(draft.correlationId, draft.target.id) }),
      failureOf: (error) => failed(statusOfFault(error, 403), error),
    })
  }

  return {
    ...port,
    readObject: (use) => watch('object.read', use, () => port.readObject(use)),
    writeObject: (use) => watch('object.create', use, () => port.writeObject(use)),
    deleteObject: (use) => watch('object.delete', use, () => port.deleteObject(use)),
    async placeForWriting(use) {
      try {
        return await port.placeForWriting(use)
      } catch (error) {
        return await watch('object.create', use, () => Promise.reject(error))
      }
    },
  }
}

function draftOf(
  noun: string,
  { bucket, object, as }: Use,
  place: Awaited<ReturnType<typeof bucketPlace>>,
  correlationId: string,
): Draft {
  const said = { id: saidName(bucket), typeURI: typeUriOf(noun) }
  const { serviceName: name, accountId } = as
  return {
    action: `${serviceName}.${noun}`,
    ownerAccountId: place.accountId,
    initiator: {
      id: `crn-${formatCrn({ serviceName: name, accountId })}`,
      name,
      typeURI: initiatorTypes.service,
      accountId,
    },
    target: { ...said, id: place.crn ?? said.id },
    targetForStrangers: said,
    correlationId,
    requestData: { objectName: object },
    // As the documented operations answer.
    status: noun === 'object.delete' ? 204 : 200,
  }
}
