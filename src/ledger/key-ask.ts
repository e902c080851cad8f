// A key by its CRN, or by an id or alias in the instance of the header, as requests name it.

import type { Context } from '#iam/port.ts'
import type { KeyAsk } from '#kms/port.ts'

export interface AskedByPath {
  readonly path: { readonly id: string }
  readonly headers: Readonly<Record<string, string | undefined>>
}

export const keyAsk = ({ caller, remoteAddress }: Context, { path, headers }: AskedByPath): KeyAsk => ({
  caller,
  remoteAddress,
  instanceId: headers['bluemix-instance'],
  key: path.id,
})
