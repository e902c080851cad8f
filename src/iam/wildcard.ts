// Patterns of stringMatch: `*` stands for any characters, also none, `?` for exactly one, `{{*}}` and `{{?}}` for
// themselves; case counts. Source: IBM Cloud IAM, "Wildcard policies". No regular expression, so that no pattern of a
// policy can make a decision slow: the time is at most pattern length times text length.

type Part = { readonly any: 'many' | 'one' } | { readonly char: string }

export const matchesWildcard = (pattern: string, text: string): boolean =>
  consumes(
    parse(pattern),
    [...text].map((char) => ({ char })),
  )

/**
 * Whether every text that matches `other` matches `pattern`. The wildcards of `other` are taken as signs of their own: a
 * `*` in it is covered by a `*` alone, a `?` by either. It may say no where yes would be right, never the reverse.
 */
export const coversPattern = (pattern: string, other: string): boolean => consumes(parse(pattern), parse(other))

function consumes(parts: readonly Part[], signs: readonly Part[]): boolean {
  let p = 0
  let s = 0
  // Where to go on when what follows the last `*` does not fit: the star takes one sign more.
  let star = -1
  let starSign = 0
  for (let sign = signs[s]; sign !== undefined; sign = signs[s]) {
    const part = parts[p]
    if (part && 'any' in part && part.any === 'many') {
      star = p++
      starSign = s
    } else if (part && fits(part, sign)) {
      p++
      s++
    } else if (star >= 0) {
      p = star + 1
      s = ++starSign
    } else return false
  }
  return parts.slice(p).every((part) => 'any' in part && part.any === 'many')
}

/** A part that is one sign, and not the star that takes many. */
function fits(part: Part, sign: Part): boolean {
  if ('char' in part) return 'char' in sign && part.char === sign.char
  return 'char' in sign || sign.any === 'one'
}

function parse(pattern: string): Part[] {
  return [...pattern.matchAll(/\{\{([*?])\}\}|\*|\?|[^]/gu)].map(([text, literal]): Part => {
    if (literal !== undefined) return { char: literal }
    if (text === '*') return { any: 'many' }
    return text === '?' ? { any: 'one' } : { char: text }
  })
}
