// Tells a story of requests: why, the request as a curl command that can be pasted, the answer. Stops at the first answer
// that is not the expected one.

export class TourBroken extends Error {
  override readonly name = 'TourBroken'
}

export interface Call {
  readonly why: string
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly url: string
  /** The shell variable that holds the caller's token, and the token. */
  readonly as?: { readonly variable: string; readonly token: string }
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  /** The status that the story expects. */
  readonly expect: number
  /** Members of the answer worth showing; everything where it is not given. */
  readonly show?: (answer: Answer) => unknown
}

/** JSON of the wire, read by the story alone. */
export type Answer = Readonly<Record<string, unknown>>

export interface Teller {
  chapter(title: string): void
  say(text: string): void
  shell(command: string, output: string): void
  call(call: Call): Promise<Answer>
  /** A token request: the pasted form puts the token into the variable. */
  token(call: {
    why: string
    url: string
    variable: string
    apiKeyVariable: string
    apiKey: string
  }): Promise<{ variable: string; token: string }>
  /** The same request without a word until the answer satisfies: for states that arrive by themselves. */
  poll(call: Call, satisfied: (answer: Answer) => boolean): Promise<Answer>
}

export function makeTeller(write: (text: string) => void): Teller {
  let chapters = 0
  const line = (text: string): void => write(`${text}\n`)

  async function send(call: Call): Promise<{ status: number; answer: Answer }> {
    const headers: Record<string, string> = { ...call.headers }
    if (call.as) headers['Authorization'] = `Bearer ${call.as.token}`
    if (call.body !== undefined) headers['Content-Type'] = 'application/json'
    const request = {
      method: call.method,
      headers,
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
    }
    let response: Response
    try {
      response = await fetch(call.url, request)
    } catch (cause) {
      throw new TourBroken(`${new URL(call.url).origin} does not answer: is the server running (npm start)?`, { cause })
    }
    const text = await response.text()
    return { status: response.status, answer: text === '' ? {} : JSON.parse(text) }
  }

  async function call(call: Call): Promise<Answer> {
    line(`\n# ${call.why}`)
    line(curl(call))
    const { status, answer } = await send(call)
    tell(status, call.show ? call.show(answer) : answer)
    if (status !== call.expect) throw new TourBroken(`expected ${call.expect}, got ${status}`)
    return answer
  }

  function tell(status: number, shown: unknown): void {
    const empty = typeof shown === 'object' && shown !== null && Object.keys(shown).length === 0
    line(`→ ${status}${empty ? '' : ` ${indent(JSON.stringify(shown, null, 2))}`}`)
  }

  return {
    chapter(title) {
      line(`\n${'─'.repeat(100)}\n${++chapters}. ${title}`)
    },
    say: (text) => line(text),
    shell(command, output) {
      line(`$ ${command}`)
      if (output !== '') line(indent(`  ${output.trimEnd()}`))
    },
    call,
    async token({ why, url, variable, apiKeyVariable, apiKey }) {
      line(`\n# ${why}`)
      line(
        `${variable}=$(curl -sS ${url} \\\n  -d grant_type=urn:ibm:params:oauth:grant-type:apikey \\\n  --data-urlencode "apikey=$${apiKeyVariable}" | sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')`,
      )
      const body = new URLSearchParams({ grant_type: 'urn:ibm:params:oauth:grant-type:apikey', apikey: apiKey })
      const response = await fetch(url, { method: 'POST', body })
      const answer: Answer = JSON.parse(await response.text())
      const token = answer['access_token']
      if (response.status !== 200 || typeof token !== 'string')
        throw new TourBroken(`no token: ${JSON.stringify(answer)}`)
      tell(200, { ...answer, access_token: `${token.slice(0, 12)}…` })
      return { variable, token }
    },
    async poll(call, satisfied) {
      for (let tries = 0; tries < pollTriesMax; tries++) {
        const { status, answer } = await send(call)
        if (status === call.expect && satisfied(answer)) {
          line(`\n# ${call.why}`)
          line(curl(call))
          tell(status, call.show ? call.show(answer) : answer)
          return answer
        }
        await new Promise((resolve) => setTimeout(resolve, pollMs))
      }
      throw new TourBroken(`waited in vain: ${call.why}`)
    },
  }
}

const pollMs = 50
const pollTriesMax = 600

function curl(call: Call): string {
  const parts = [`curl -sS -X ${call.method} '${call.url}'`]
  if (call.as) parts.push(`-H "Authorization: Bearer $${call.as.variable}"`)
  for (const [name, value] of Object.entries(call.headers ?? {})) parts.push(`-H '${name}: ${value}'`)
  if (call.body !== undefined) parts.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(call.body)}'`)
  return parts.join(' \\\n  ')
}

const indent = (text: string): string => text.replaceAll('\n', '\n  ')
