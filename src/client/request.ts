// How an operation's place and parameters become a URL, and what an answer's text is. Pure.

/** VPC API, "Versioning": the date up to which these clients know the API. */
const vpcVersion = { version: '2026-03-24', generation: '2' } as const

export interface Request {
  readonly path?: Readonly<Record<string, string>> | undefined
  readonly query?: unknown
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** Path and query. */
export function placeOf(service: string, template: string, { path, query }: Request): string {
  const place = template.replaceAll(/\{(\w+)\}/g, (_, part: string) => encodeURIComponent(path?.[part] ?? ''))
  return `${place}${queryOf({ ...(service === 'vpc' && vpcVersion), ...(query as object | undefined) })}`
}

function queryOf(values: object): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== '') query.append(name, String(one))
  }
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

export function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
