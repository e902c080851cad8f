// Patterns of stringMatch: `*` stands for any characters, also none, `?` for exactly one, `{{*}}` and `{{?}}` for
// themselves; case counts. Source: IBM Cloud IAM, "Wildcard policies". No regular expression, so that no pattern of a
// policy can make a decision slow: the time is at most pattern length times text length.

type Part = { readonly any: 'many' | 'one' } | { readonly char: string }

export function matchesWildcard(pattern: string, text: string): boolean {
  const parts = parse(pattern)
  const chars = [...text]
  let p = 0
  let t = 0
  // Where to go on when what follows the last `*` does not fit: the star takes one character more.
  let star = -1
  let starText = 0
  while (t < chars.length) {
    const part = parts[p]
    if (part && 'any' in part && part.any === 'many') {
      star = p++
      starText = t
    } else if (part && ('any' in part || part.char === chars[t])) {
      p++
      t++
    } else if (star >= 0) {
      p = star + 1
      t = ++starText
    } else return false
  }
  return parts.slice(p).every((part) => 'any' in part && part.any === 'many')
}

function parse(pattern: string): Part[] {
  return [...pattern.matchAll(/\{\{([*?])\}\}|\*|\?|[^]/gu)].map(([text, literal]): Part => {
    if (literal !== undefined) return { char: literal }
    if (text === '*') return { any: 'many' }
    return text === '?' ? { any: 'one' } : { char: text }
  })
}
