// A stream of server-sent events, as far as the console looks at them: what they are called. What they say is read anew.
// Source: WHATWG HTML, "Server-sent events". Pure.

/** The ids of events, as each is complete; comments and retry times are none. */
export async function* eventIds(body: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const id = /^id: ?(.+)$/m.exec(event)?.[1]
      if (id !== undefined) yield id
    }
  }
}
