// Wire to domain: what keys a caller wants to see, and in which order. Source: Key Protect API v2, "List keys"
// (parameters limit, offset, state, extractable, search, sort, filter); Key Protect, "Viewing a list of keys".

import type { Static } from 'typebox'
import { keyFilterTermsMax, keyPageDefault } from '#base/limits.ts'
import type { kmsContract } from './contract.ts'
import { invalidParameter } from './envelope.ts'
import { parseRfc3339 } from './key-request.ts'
import { keyStates, stateNumbers } from './key-state.ts'
import type { KeyState } from './key-state.ts'
import { parseSearch } from './key-search.ts'
import type { Search } from './key-search.ts'
import { isSortField } from './tables-key-list.ts'
import type { DateField, DateTerm, KeyFilter, Page, SortTerm } from './tables-key-list.ts'

export interface ListRequest {
  readonly page: Page
  /** Whether the caller wants to know how many there are beyond the page. */
  readonly counting: boolean
}

export interface KeyCountRequest {
  readonly filter: KeyFilter
  readonly search: Search | null
}

export interface KeyListRequest extends KeyCountRequest, ListRequest {
  readonly sort: readonly SortTerm[]
}

type CountQuery = Static<(typeof kmsContract)['countKeys']['query']>
type ListQuery = Static<(typeof kmsContract)['listKeys']['query']>
type PageQuery = { readonly limit?: number; readonly offset?: number; readonly totalCount?: boolean }

/** Terraform's data source asks with `limit=0` and means the default. */
export const pageRequest = (query: PageQuery): ListRequest => ({
  page: { limit: query.limit || keyPageDefault, offset: query.offset ?? 0 },
  counting: query.totalCount === true,
})

export function keyCountRequest(query: CountQuery): KeyCountRequest {
  const terms = query.filter === undefined ? [] : parseTerms(query.filter)
  const of = (property: string): readonly Term[] => terms.filter((term) => term.property === property)
  for (const [name, value] of [
    ['state', query.state],
    ['extractable', query.extractable],
  ] as const) {
    if (value !== undefined && of(name).length > 0) {
      throw invalidParameter('filter', `filter and ${name} both say which ${name} is wanted`)
    }
  }
  return {
    filter: {
      states: statesOf(query, of('state')),
      extractable: query.extractable ?? extractableOf(of('extractable')),
      dates: terms.flatMap((term) => (isDateField(term.property) ? [dateTerm(term.property, term)] : [])),
    },
    search: query.search === undefined ? null : parseSearch(query.search),
  }
}

export const keyListRequest = (query: ListQuery): KeyListRequest => ({
  ...keyCountRequest(query),
  ...pageRequest(query),
  sort: query.sort === undefined ? [] : parseSort(query.sort),
})

interface Term {
  readonly property: string
  readonly operator: Operator | null
  readonly value: string
}

const operators = ['lt', 'lte', 'gt', 'gte'] as const
type Operator = (typeof operators)[number]

const dateFields: readonly DateField[] = [
  'creationDate',
  'deletionDate',
  'expirationDate',
  'lastRotateDate',
  'lastUpdateDate',
]
const isDateField = (name: string): name is DateField => dateFields.some((field) => field === name)
const isProperty = (name: string): boolean => name === 'state' || name === 'extractable' || isDateField(name)

/** `property=value` and `property=operator:value`, with spaces between; dates stand in double quotes. */
function parseTerms(text: string): readonly Term[] {
  const words = text.match(/[^\s"]*"[^"]*"|\S+/g) ?? []
  const terms = words.map((word): Term => {
    const [, property = '', operator, quoted, bare = ''] =
      /^([A-Za-z]+)=(?:(lte?|gte?):)?(?:"([^"]*)"|([^\s"]+))$/.exec(word) ?? []
    if (!isProperty(property)) throw invalidParameter('filter', 'filter has a term that is not property=value')
    const known = operators.find((name) => name === operator) ?? null
    if (known && !isDateField(property)) throw invalidParameter('filter', `${property} is not compared by ${known}`)
    return { property, operator: known, value: quoted ?? bare }
  })
  for (const [property, same] of Map.groupBy(terms, (term) => term.property)) {
    if (same.length > keyFilterTermsMax) {
      throw invalidParameter('filter', `filter has more than ${keyFilterTermsMax} terms for ${property}`)
    }
  }
  return terms
}

/** Without any word on states, all but destroyed keys. */
function statesOf(query: CountQuery, terms: readonly Term[]): readonly KeyState[] {
  if (query.state !== undefined) return parseStates('state', query.state)
  if (terms.length === 0) return keyStates.filter((state) => state !== 'destroyed')
  const [first = [], ...others] = terms.map((term) => parseStates('filter', [term.value]))
  return first.filter((state) => others.every((states) => states.includes(state)))
}

function parseStates(parameter: string, values: readonly string[]): readonly KeyState[] {
  return values
    .flatMap((value) => value.split(','))
    .map((value) => {
      const found = keyStates.find((state) => String(stateNumbers[state]) === value.trim())
      if (!found) throw invalidParameter(parameter, 'state must be a list of 0, 1, 2, 3 and 5')
      return found
    })
}

function extractableOf(terms: readonly Term[]): boolean | null {
  const values = new Set(terms.map((term) => term.value))
  if ([...values].some((value) => value !== 'true' && value !== 'false') || values.size > 1) {
    throw invalidParameter('filter', 'extractable must be true or false')
  }
  return values.size === 0 ? null : values.has('true')
}

/** Dates are shown in whole seconds and mean the whole of the second that they name. */
function dateTerm(field: DateField, { operator, value }: Term): DateTerm {
  if (value === 'none' && operator === null) return { field, none: true }
  const ms = parseRfc3339(value)
  if (ms === null) throw invalidParameter('filter', `${field} must be compared with an RFC 3339 date in double quotes`)
  const from = Math.floor(ms / 1000) * 1000
  const to = from + 1000
  switch (operator) {
    case 'lt':
      return { field, none: false, from: 0, to: from }
    case 'lte':
      return { field, none: false, from: 0, to }
    case 'gt':
      return { field, none: false, from: to, to: Number.MAX_SAFE_INTEGER }
    case 'gte':
      return { field, none: false, from, to: Number.MAX_SAFE_INTEGER }
    case null:
      return { field, none: false, from, to }
  }
}

function parseSort(value: string): readonly SortTerm[] {
  return value.split(',').map((term) => {
    const descending = term.startsWith('-')
    const field = descending ? term.slice(1) : term
    if (!isSortField(field)) throw invalidParameter('sort', 'sort names a property that keys are not sorted by')
    return { field, descending }
  })
}
