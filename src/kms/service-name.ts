// Two services speak one API: Key Protect, and Hyper Protect Crypto Services for instances whose root keys are sealed by
// a key that never leaves a PKCS#11 token. They differ in their CRNs, in the first word of their IAM actions, and where
// docs/compatibility.md says so. Inside this folder an action has its Key Protect name.

import type { Grant, IamPort, Subject, Target } from '#iam/port.ts'

export type KmsServiceName = 'kms' | 'hs-crypto'

export const isKmsServiceName = (name: string): name is KmsServiceName => name === 'kms' || name === 'hs-crypto'

/** `kms.secrets.wrap` as policies about the service name it. */
export const actionOf = (serviceName: string, action: string): string =>
  serviceName === 'hs-crypto' ? action.replace(/^kms\./, 'hs-crypto.') : action

/** Leave for the action on a target of either service; the grant speaks of it by its name here. */
export async function authorizeIn<Action extends string>(
  iam: IamPort,
  subject: Subject,
  action: Action,
  target: Target,
): Promise<Grant<Action>> {
  const grant = await iam.authorize(subject, actionOf(target.serviceName, action), target)
  return { ...grant, action }
}
