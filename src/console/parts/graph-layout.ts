// The picture of who depends on whose keys, as boxes and lines: keys on the left under the account that owns them, what lies
// under them on the right under the account whose it is. Pure: the same input gives the same picture.

import { parseCrn } from '#base/crn.ts'
import { plural } from '#client/words.ts'

export interface GraphKey {
  readonly crn: string
  readonly name: string
  /** Whether it opens what lies under it. */
  readonly works: boolean
}

export interface GraphResource {
  readonly crn: string
  readonly keyCrn: string
}

export interface Box {
  readonly id: string
  readonly accountId: string
  readonly text: string
  readonly y: number
  readonly works: boolean
}

export interface Heading {
  readonly side: 'keys' | 'resources'
  readonly accountId: string
  readonly y: number
}

export interface Line {
  readonly id: string
  readonly keyCrn: string
  readonly fromY: number
  readonly toY: number
  readonly works: boolean
  /** Nothing lies there yet: the account is authorized to put something under the key. */
  readonly isPromise: boolean
}

export interface Graph {
  readonly keys: readonly Box[]
  readonly groups: readonly (Box & { readonly keyCrn: string; readonly count: number })[]
  readonly headings: readonly Heading[]
  readonly lines: readonly Line[]
  readonly height: number
}

const rowPx = 44
const headingPx = 40

/** An account that may use a key. */
export interface Promised {
  readonly accountId: string
  readonly keyCrn: string
}

export function graphOf(parts: {
  readonly own: string
  readonly keys: readonly GraphKey[]
  readonly resources: readonly GraphResource[]
  readonly promised: readonly Promised[]
}): Graph {
  const { own, resources, promised } = parts
  const keys = byAccount(parts.keys, (key) => accountOf(key.crn), own)
  const headings: Heading[] = []
  const boxes: Box[] = []
  let y = 0
  for (const [accountId, all] of keys) {
    headings.push({ side: 'keys', accountId, y })
    y += headingPx
    for (const key of all) {
      boxes.push({ id: key.crn, accountId, text: key.name, y, works: key.works })
      y += rowPx
    }
  }
  const keyBoxes = new Map(boxes.map((box) => [box.id, box]))

  const groups = [...Map.groupBy(resources, (one) => `${accountOf(one.crn)} ${one.keyCrn}`)].flatMap(([id, all]) => {
    const [first] = all
    const key = first && keyBoxes.get(first.keyCrn)
    return first && key ? [{ id, accountId: accountOf(first.crn), key, count: all.length, text: inWords(all) }] : []
  })
  const present = new Set(groups.map((group) => group.id))
  const empty = promised.flatMap(({ accountId, keyCrn }) => {
    const key = keyBoxes.get(keyCrn)
    const id = `${accountId} ${keyCrn}`
    return key && !present.has(id) ? [{ id, accountId, key, count: 0, text: 'authorized, nothing yet' }] : []
  })
  const drawn: (Box & { keyCrn: string; count: number })[] = []
  const lines: Line[] = []
  let groupY = 0
  for (const [accountId, all] of byAccount([...groups, ...empty], (group) => group.accountId, own)) {
    headings.push({ side: 'resources', accountId, y: groupY })
    groupY += headingPx
    for (const { id, key, count, text } of all.sort((a, b) => a.key.y - b.key.y)) {
      drawn.push({ id, accountId, text, y: groupY, works: key.works, keyCrn: key.id, count })
      lines.push({ id, keyCrn: key.id, fromY: key.y, toY: groupY, works: key.works, isPromise: count === 0 })
      groupY += rowPx
    }
  }
  return { keys: boxes, groups: drawn, headings, lines, height: Math.max(y, groupY, rowPx) }
}

const accountOf = (crn: string): string => parseCrn(crn)?.accountId ?? ''

/** One's own account comes first, the others in the order of their ids. */
const byAccount = <T>(all: readonly T[], of: (one: T) => string, own: string): (readonly [string, T[]])[] =>
  [...Map.groupBy(all, of)].sort(([a], [b]) => Number(b === own) - Number(a === own) || (a < b ? -1 : 1))

const inWords = (all: readonly GraphResource[]): string =>
  [...Map.groupBy(all, (one) => parseCrn(one.crn)?.resourceType ?? 'resource')]
    .map(([type, some]) => plural(some.length, type))
    .join(', ')
