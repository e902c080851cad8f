// What requests must know of a thing that they change. Source: VPC API, "If-Match".

import { Fault } from '#base/fault.ts'

/** What VPCs and virtual network interfaces are now, in words: their records have no revision that could be told. */
export const recordEtag = (
  { id, name }: { readonly id: string; readonly name: string },
  flags: readonly boolean[] = [],
): string => `W/"${[name, ...flags.map((flag) => (flag ? 'y' : 'n')), id.slice(-12)].join('-')}"`

/** Demanded where a list is replaced whole, so that nobody undoes what he has not seen. */
export function requireIfMatch(ifMatch: string | undefined, words: string): void {
  if (ifMatch !== undefined) return
  throw new Fault('invalid', `a change of user_tags needs the header If-Match with the ETag of the ${words}`, {
    reason: 'bad_header',
    target: { type: 'header', name: 'If-Match' },
  })
}

export function checkIfMatch(ifMatch: string | undefined, etag: string, words: string): void {
  if (ifMatch === undefined || ifMatch.trim() === '*' || ifMatch.trim() === etag) return
  throw new Fault('precondition', `${words} has changed: If-Match is not its ETag`, {
    target: { type: 'header', name: 'If-Match' },
  })
}
