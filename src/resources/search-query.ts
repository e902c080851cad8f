// The part of the Lucene query language that clients of Global Search send: words and `field:word`, quoted phrases, `*`
// and `?`, AND, OR, NOT, parentheses; words side by side are joined by AND. Case does not matter. What is not understood
// is refused and never means "everything".

import { Fault } from '#base/fault.ts'
import { searchQueryDepthMax } from '#base/limits.ts'

export type Query =
  | { readonly is: 'all' }
  | { readonly is: 'term'; readonly field: string | null; readonly text: string; readonly isPattern: boolean }
  | { readonly is: 'not'; readonly query: Query }
  | { readonly is: 'and' | 'or'; readonly queries: readonly Query[] }

/** What a query is asked of: the values of a field, as text. Null stands for any field. */
export type Values = (field: string | null) => readonly string[]

export function matches(query: Query, values: Values): boolean {
  switch (query.is) {
    case 'all':
      return true
    case 'not':
      return !matches(query.query, values)
    case 'and':
      return query.queries.every((one) => matches(one, values))
    case 'or':
      return query.queries.some((one) => matches(one, values))
    case 'term': {
      const wanted = query.text.toLowerCase()
      return values(query.field).some((value) =>
        query.isPattern ? fits(value.toLowerCase(), wanted) : value.toLowerCase() === wanted,
      )
    }
  }
}

/** The CRN that the query is about and nothing else, or null: it is looked up instead of looked for. */
export function crnAskedFor(query: Query): string | null {
  if (query.is === 'and') return query.queries.map(crnAskedFor).find((crn) => crn !== null) ?? null
  return query.is === 'term' && query.field === 'crn' && !query.isPattern ? query.text : null
}

/** `*` is any text and `?` any character, as patterns have them after the lexer: escaped ones are ordinary. */
function fits(text: string, pattern: string): boolean {
  let [at, of, star, mark] = [0, 0, -1, 0]
  while (at < text.length) {
    const c = pattern[of]
    if (c === anyText) {
      star = of++
      mark = at
    } else if (c === anyCharacter || (c !== undefined && c === text[at])) {
      at++
      of++
    } else if (star >= 0) {
      of = star + 1
      at = ++mark
    } else return false
  }
  while (pattern[of] === anyText) of++
  return of === pattern.length
}

// Private characters, so that an escaped star stays a star.
const anyText = '\uE000'
const anyCharacter = '\uE001'

// Words and their order -----------------------------------------------------------------------------------------------

type Token =
  | { readonly is: 'word'; readonly text: string; readonly isQuoted: boolean; readonly isPattern: boolean }
  | { readonly is: 'field'; readonly name: string }
  | { readonly is: '(' | ')' | 'AND' | 'OR' | 'NOT' }

export function parseQuery(text: string): Query {
  const tokens = tokensOf(text)
  let at = 0
  const next = (): Token | undefined => tokens[at]

  function either(depth: number): Query {
    const queries = [both(depth)]
    while (next()?.is === 'OR') {
      at++
      queries.push(both(depth))
    }
    return join('or', queries)
  }

  function both(depth: number): Query {
    const queries = [single(depth, null)]
    for (let token = next(); token && token.is !== 'OR' && token.is !== ')'; token = next()) {
      if (token.is === 'AND') at++
      queries.push(single(depth, null))
    }
    return join('and', queries)
  }

  function single(depth: number, field: string | null): Query {
    const token = tokens[at++]
    if (depth > searchQueryDepthMax) throw refusal('is nested too deeply')
    switch (token?.is) {
      case 'NOT':
        return { is: 'not', query: single(depth + 1, field) }
      case 'field':
        if (field !== null) throw refusal('has a field of a field')
        return single(depth, token.name)
      case 'word':
        return word(token, field)
      case '(': {
        const query = either(depth + 1)
        if (tokens[at++]?.is !== ')') throw refusal('has a parenthesis that is not closed')
        return field === null ? query : within(query, field)
      }
      default:
        throw refusal('ends where a word is expected')
    }
  }

  const query = tokens.length === 0 ? { is: 'all' as const } : either(0)
  if (at < tokens.length) throw refusal('has a parenthesis that was not opened')
  return query
}

const join = (is: 'and' | 'or', queries: readonly Query[]): Query => {
  const [first] = queries
  return first && queries.length === 1 ? first : { is, queries }
}

function word(token: Extract<Token, { is: 'word' }>, field: string | null): Query {
  if (token.text === anyText && (field === null || field === '*')) return { is: 'all' }
  return { is: 'term', field, text: token.text, isPattern: token.isPattern }
}

/** `tags:(a OR b)`: the field of the parenthesis is that of the words in it which have none. */
function within(query: Query, field: string): Query {
  switch (query.is) {
    case 'all':
      return { is: 'term', field, text: anyText, isPattern: true }
    case 'term':
      return { ...query, field: query.field ?? field }
    case 'not':
      return { is: 'not', query: within(query.query, field) }
    default:
      return { is: query.is, queries: query.queries.map((one) => within(one, field)) }
  }
}

const escapable = /\\(.)/gsu

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = []
  const lexer = /\s+|([()])|"((?:[^"\\]|\\.)*)"|((?:[^\s()":\\[\]{}]|\\.)+)(:)?/gsuy
  while (lexer.lastIndex < text.length) {
    const found = lexer.exec(text)
    if (!found) throw refusal('has a character that is not understood')
    const [, parenthesis, phrase, bare, colon] = found
    if (parenthesis === '(' || parenthesis === ')') tokens.push({ is: parenthesis })
    else if (phrase !== undefined) {
      const unescaped = phrase.replace(escapable, '$1')
      tokens.push({ is: 'word', text: unescaped, isQuoted: true, isPattern: false })
    } else if (bare !== undefined) tokens.push(...bareTokens(bare, colon !== undefined))
  }
  return tokens
}

function bareTokens(bare: string, isField: boolean): readonly Token[] {
  const sign = /^[+\-!]/.exec(bare)?.[0]
  const rest = sign === undefined ? bare : bare.slice(1)
  const signs: readonly Token[] = sign === '-' || sign === '!' ? [{ is: 'NOT' }] : []
  if (rest === '') throw refusal(`has ${JSON.stringify(bare)} without a word`)
  if (isField) return [...signs, { is: 'field', name: rest.replace(escapable, '$1').toLowerCase() }]
  if (rest === 'AND' || rest === '&&') return [{ is: 'AND' }]
  if (rest === 'OR' || rest === '||') return [{ is: 'OR' }]
  if (rest === 'NOT') return [{ is: 'NOT' }]
  const text = rest.replace(/\\(.)|([*?])/gsu, (_, escaped: string | undefined, wild: string | undefined) =>
    wild === undefined ? (escaped ?? '') : wild === '*' ? anyText : anyCharacter,
  )
  return [...signs, { is: 'word', text, isQuoted: false, isPattern: /[\uE000\uE001]/.test(text) }]
}

const refusal = (why: string): Fault =>
  new Fault('invalid', `query ${why}`, { target: { type: 'field', name: 'query' } })
