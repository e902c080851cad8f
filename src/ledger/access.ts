// Leave for what an account sees of itself here: an action of the service `keyward` in that account.

import type { Context, Grant, IamPort } from '#iam/port.ts'

export interface OfAccount {
  readonly account_id?: string
}

/** Of the account that is named, or the caller's own. Another account's is for whom that account permits. */
export const authorizeOwn = <Action extends string>(
  iam: IamPort,
  { caller }: Context,
  action: Action,
  { account_id: accountId = caller.accountId }: OfAccount,
): Promise<Grant<Action>> => iam.authorize(caller, action, { accountId, serviceName: 'keyward' })
