// The documentation page "Cross-account encryption for Block Storage resources" prints example policies whose attribute
// names are what the values stand for ("Account-A") instead of the names of the policy API; its later editions print
// others. People paste them. They mean one thing only, so they are accepted, echoed as sent, and decided by the right
// name. docs/compatibility.md records this as a deliberate difference: IBM Cloud refuses them. A list that mixes them with
// the names that they stand for is refused: it was half corrected, and nobody can say which half is meant.

import type { ConditionValue } from './conditions.ts'

export type Side = 'subject' | 'resource'

const aliases: Readonly<Record<Side, ReadonlyMap<string, string>>> = {
  subject: new Map([
    ['Account-B', 'accountId'],
    ['Cloud Block Storage', 'serviceName'],
    ['Hyper-Protect-Crypto-Services', 'serviceName'],
    ['Key-Protect', 'serviceName'],
  ]),
  resource: new Map([
    ['Account-A', 'accountId'],
    ['Account-A-CRK', 'accountId'],
    ['Hyper-Protect-Crypto-Services', 'serviceName'],
    ['Key-Protect', 'serviceName'],
  ]),
}

export const isAlias = (side: Side, name: string): boolean => aliases[side].has(name)

/** The right name of an attribute: itself, unless it is one of the page's. */
export const rightName = (side: Side, name: string): string => aliases[side].get(name) ?? name

/** Account ids are bare in policies; the page, and every CRN, shows them behind `a/`. */
export const rightValue = (name: string, value: ConditionValue): ConditionValue =>
  name === 'accountId' && typeof value === 'string' && value.startsWith('a/') ? value.slice(2) : value
