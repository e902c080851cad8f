// SQL of lists of custom images: one page is read, and not what the account has (tables-pages.ts).

import type { ExpressionBuilder } from 'kysely'
import type { Reads } from '#store/database.ts'
import type { Schema } from '#store/schema/schema.ts'
import type { ImageStatus } from './image-state.ts'
import { countRows, inOrder, never, placeColumns } from './tables-pages.ts'
import type { At, Selection, Within } from './tables-pages.ts'
import { hiddenPhases, servingStandings } from './volume-state.ts'

/** What lists of images are narrowed by; absent members narrow nothing. */
export interface ImageFilter {
  readonly name?: string | undefined
  readonly resourceGroupId?: string | undefined
  readonly statuses?: readonly ImageStatus[] | undefined
  /** The moment that statuses are of. */
  readonly now: number
  /** Where nothing can match. */
  readonly hasNone?: boolean | undefined
}

function images(reads: Reads, { accountId, region }: At, filter: ImageFilter) {
  const { name, resourceGroupId, statuses, now, hasNone } = filter
  return reads
    .selectFrom('vpc_image')
    .where('account_id', '=', accountId)
    .where('region', '=', region)
    .where('phase', 'not in', hiddenPhases)
    .$if(name !== undefined, (q) => q.where('name', '=', name ?? ''))
    .$if(resourceGroupId !== undefined, (q) => q.where('resource_group_id', '=', resourceGroupId ?? ''))
    .$if(statuses !== undefined, (q) => q.where((e) => e.or((statuses ?? []).map((status) => isIn(e, status, now)))))
    .$if(hasNone === true || statuses?.length === 0, (q) => q.where(never))
}

/** As imageStatusOf() of image-state.ts has it. */
function isIn(e: ExpressionBuilder<Schema, 'vpc_image'>, status: ImageStatus, now: number) {
  const { eb, and, or, not } = e
  const opens = eb('key_standing', 'in', servingStandings)
  const isThere = and([eb('phase', '=', 'formatted'), opens])
  const isObsolete = and([eb('obsolescence_at', 'is not', null), eb('obsolescence_at', '<=', now)])
  const isDeprecated = and([eb('deprecation_at', 'is not', null), eb('deprecation_at', '<=', now)])
  switch (status) {
    case 'deleting':
    case 'failed':
      return eb('phase', '=', status)
    case 'unusable':
      return and([eb('phase', 'in', ['keyed', 'formatted']), not(opens)])
    case 'pending':
      return and([eb('phase', '=', 'keyed'), opens])
    case 'obsolete':
      return and([isThere, isObsolete])
    case 'deprecated':
      return and([isThere, isDeprecated, not(isObsolete)])
    case 'available':
      return and([isThere, not(or([isDeprecated, isObsolete]))])
  }
}

export const pageOfImages = (reads: Reads, at: At, filter: ImageFilter, selection: Selection) =>
  inOrder(images(reads, at, filter), selection)
    .select(placeColumns)
    .execute()

export const countListedImages = (reads: Reads, at: At, filter: ImageFilter, within: Within): Promise<number> =>
  countRows(images(reads, at, filter), within)
