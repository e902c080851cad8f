// How a long collection is listed: what the caller may see of it is asked of IAM as a whole, and of the database as the
// rows of one page.

import { vpcScanPage, vpcScopePartsMax } from '#base/limits.ts'
import type { Caller, Context, Grant, ScopePart } from '#iam/port.ts'
import { cut, inOrderOf, newestFirstOrder, parsePage } from './page.ts'
import type { Order, Page, PageRequest, Position } from './page.ts'
import type { VpcParts } from './parts.ts'
import type { Leave } from './tables-granted.ts'
import type { Selection, Within } from './tables-pages.ts'
import { collectionTarget, targetOf } from './targets.ts'
import type { Kind, Place } from './targets.ts'

type Located = Place & Position

export interface Listed<Action extends string> {
  readonly kind: Kind
  readonly action: Action
  /** In the order of pages. */
  locate(selection: Selection): Promise<readonly Located[]>
  count(within: Within): Promise<number>
}

/** One page, and leave to read what is on it. A caller to whom no policy gives any of the collection is refused. */
export async function listPage<Action extends string>(
  { iam, region }: VpcParts,
  { caller }: Context,
  listed: Listed<Action>,
  request: PageRequest,
  order: Order = newestFirstOrder,
): Promise<{ readonly page: Page<Position>; readonly leave: Leave<Action> }> {
  const { after, limit } = parsePage(request, order)
  const scope = await iam.scope(caller, listed.action, collectionTarget(listed.kind, caller.accountId, region))
  if (scope.of === 'whole') {
    const located = await listed.locate({ within: null, order, after, limit: limit + 1 })
    const page = cut(located, { limit, totalCount: await listed.count(null) }, order)
    return { page, leave: { collection: scope.grant, ids: page.items.map(({ id }) => id) } }
  }
  if (scope.of === 'each' || isLong(scope.parts)) return await askOfEach(iam, caller, listed, { order, after, limit })
  const located = await listed.locate({ within: scope.parts, order, after, limit: limit + 1 })
  const page = cut(located, { limit, totalCount: await listed.count(scope.parts) }, order)
  const given = await iam.grants(caller, listed.action, targetsOf(listed, page.items))
  // What has been taken away since the question before is not there.
  return { page, leave: given.filter((grant) => grant !== null) }
}

/** Engines bound how many values a statement may have. */
const isLong = (parts: readonly ScopePart[]): boolean =>
  parts.reduce((sum, part) => sum + (part.resources?.length ?? 0) + (part.resourceGroupIds?.length ?? 0), 0) >
  vpcScopePartsMax

const targetsOf = <Action extends string>({ kind }: Listed<Action>, places: readonly Place[]) =>
  places.map((place) => targetOf(kind, place))

/** Policies with patterns: what they are about is only known of each, so all are looked at, a few at a time. */
async function askOfEach<Action extends string>(
  iam: VpcParts['iam'],
  caller: Caller,
  listed: Listed<Action>,
  { order, after, limit }: { readonly order: Order; readonly after: Position | null; readonly limit: number },
): Promise<{ readonly page: Page<Position>; readonly leave: Leave<Action> }> {
  const found: { readonly place: Located; readonly grant: Grant<Action> }[] = []
  let totalCount = 0
  let last: Position | null = null
  for (;;) {
    const places: readonly Located[] = await listed.locate({ within: null, order, after: last, limit: vpcScanPage })
    const grants = await iam.grants(caller, listed.action, targetsOf(listed, places))
    for (const [i, place] of places.entries()) {
      const grant = grants[i]
      if (!grant) continue
      totalCount++
      if (found.length <= limit && (!after || inOrderOf(order)(after, place) < 0)) found.push({ place, grant })
    }
    last = places.at(-1) ?? null
    if (places.length < vpcScanPage) break
  }
  const places = found.map(({ place }) => place)
  return { page: cut(places, { limit, totalCount }, order), leave: found.slice(0, limit).map(({ grant }) => grant) }
}
