// Who asks. The header is `Bearer <token>`; the bare token is accepted too, since the documented curl commands send it.

import { Fault } from '#base/fault.ts'
import type { Caller, IamPort } from '#iam/port.ts'

export async function authenticate(iam: IamPort, authorization: string | undefined): Promise<Caller> {
  if (!authorization) throw new Fault('unauthenticated', 'the request carries no token')
  const token = authorization.replace(/^bearer\s+/i, '').trim()
  if (token === '' || /\s/.test(token)) throw new Fault('unauthenticated', 'the Authorization header holds no token')
  return await iam.authenticate(token)
}
