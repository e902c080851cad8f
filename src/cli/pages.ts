// Lists whole: page after page until the end, or until enough. What comes out is the first page's body with all the rows,
// so that `--json` has the API's own shape.

interface Page {
  readonly next?: unknown
  readonly next_url?: unknown
}

/** `ask` is given where the page starts, and `rows` is the member that holds them. */
export async function allPages<Body extends object, Rows extends keyof Body>(
  ask: (start: string | undefined) => Promise<Body>,
  rows: Rows,
  most: number = Number.POSITIVE_INFINITY,
): Promise<Body> {
  const first = await ask(undefined)
  const all = rowsOf(first, rows)
  let start = nextOf(first)
  while (start !== null && all.length < most) {
    const page = await ask(start)
    all.push(...rowsOf(page, rows))
    const next = nextOf(page)
    // A server that goes in circles would keep us for ever.
    start = next === start ? null : next
  }
  const { next: _, ...rest }: Body & Page = first
  return { ...rest, [rows]: all.slice(0, most) } as unknown as Body
}

const rowsOf = <Body extends object>(body: Body, rows: keyof Body): unknown[] => {
  const value: unknown = body[rows]
  return Array.isArray(value) ? [...value] : []
}

/** VPC has it in a link, IAM and the ledger as it is, the resource controller in a URL. */
function nextOf(page: object): string | null {
  const { next, next_url: url }: Page = page
  if (typeof url === 'string') return startIn(url)
  if (typeof next !== 'object' || next === null) return null
  if ('start' in next && typeof next.start === 'string') return next.start
  return 'href' in next && typeof next.href === 'string' ? startIn(next.href) : null
}

const startIn = (href: string): string | null => new URL(href, 'http://relative').searchParams.get('start')

/** Key Protect counts instead: `offset` rows are passed over. */
export async function allOffsets<Body extends { readonly resources: readonly unknown[] }>(
  pageSize: number,
  ask: (page: { readonly limit: number; readonly offset: number }) => Promise<Body>,
  most: number = Number.POSITIVE_INFINITY,
): Promise<Body> {
  const limit = Math.min(pageSize, most)
  const first = await ask({ limit, offset: 0 })
  const all: unknown[] = [...first.resources]
  for (let last = first; last.resources.length === limit && all.length < most; ) {
    last = await ask({ limit, offset: all.length })
    all.push(...last.resources)
  }
  return { ...first, resources: all.slice(0, most) } as unknown as Body
}
