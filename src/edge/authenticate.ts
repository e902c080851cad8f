// Who asks. The header is `Bearer <token>`; the bare token is accepted too, since the documented curl commands send it.

import { Fault } from '#base/fault.ts'
import type { Caller, IamPort, OperatorPort } from '#iam/port.ts'

/** A tenant's bearer. The operator's token is none: it opens nothing here. */
export const authenticate = async (
  iam: IamPort,
  authorization: string | undefined,
  remoteAddress: string,
): Promise<Caller> => await iam.authenticate(tokenOf(authorization), remoteAddress)

/** The operator. A tenant's token opens nothing here. */
export const authenticateOperator = async (
  operator: OperatorPort,
  authorization: string | undefined,
  remoteAddress: string,
): Promise<void> => await operator.authenticateOperator(tokenOf(authorization), remoteAddress)

function tokenOf(authorization: string | undefined): string {
  if (!authorization) throw new Fault('unauthenticated', 'the request carries no token')
  const token = authorization.replace(/^bearer\s+/i, '').trim()
  if (token === '' || /\s/.test(token)) throw new Fault('unauthenticated', 'the Authorization header holds no token')
  return token
}
