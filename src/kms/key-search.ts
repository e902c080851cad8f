// The little language of `search`: options and scopes with colons, in any order, and then a text. Pure.
// Source: Key Protect API v2, "List keys", parameter `search`.

import { invalidParameter } from './envelope.ts'

export interface Search {
  readonly text: string
  readonly scopes: readonly SearchScope[]
  readonly not: boolean
  readonly exact: boolean
}

export type SearchScope = 'name' | 'alias'

/** The Go client appends a comma to what it was given. */
export function parseSearch(value: string): Search {
  let rest = value.endsWith(',') ? value.slice(0, -1) : value
  const said = new Set<string>()
  for (;;) {
    const [prefix, option = ''] = /^(not|exact|escape|name|alias):/.exec(rest) ?? []
    if (!prefix) break
    rest = rest.slice(prefix.length)
    said.add(option)
    // What follows is a text, whatever it looks like.
    if (option === 'escape') break
  }
  if (rest === '' || !rest.isWellFormed()) throw invalidParameter('search', 'search has no text to look for')
  const scopes = (['name', 'alias'] as const).filter((scope) => said.has(scope))
  return {
    text: rest,
    scopes: scopes.length === 0 ? ['name', 'alias'] : scopes,
    not: said.has('not'),
    exact: said.has('exact'),
  }
}

/** Without regard to case; a whole id is found too, as it is in every other place that takes a name. */
export function isFound(
  { text, scopes, not, exact }: Search,
  key: { readonly id: string; readonly name: string; readonly aliases: readonly string[] },
): boolean {
  const wanted = text.toLowerCase()
  const texts = [...(scopes.includes('name') ? [key.name] : []), ...(scopes.includes('alias') ? key.aliases : [])]
  const matches = texts
    .map((candidate) => candidate.toLowerCase())
    .some((candidate) => (exact ? candidate === wanted : candidate.includes(wanted)))
  return (matches || key.id === wanted) !== not
}
