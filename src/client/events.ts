// A stream of server-sent events, as its messages. Source: WHATWG HTML, "Server-sent events". Pure.

export interface StreamedEvent {
  readonly id: string
  readonly type: string
  /** As it came; JSON where the server is ours. */
  readonly data: string
}

/** Events as each is complete; comments, retry times and events without an id are none. */
export async function* streamedEvents(body: AsyncIterable<Uint8Array>): AsyncGenerator<StreamedEvent> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const bytes of body) {
    text += decoder.decode(bytes, { stream: true })
    const events = text.split('\n\n')
    text = events.pop() ?? ''
    for (const event of events) {
      const id = field(event, 'id')
      if (id !== undefined) yield { id, type: field(event, 'event') ?? 'message', data: field(event, 'data') ?? '' }
    }
  }
}

const field = (event: string, name: string): string | undefined =>
  event
    .split('\n')
    .find((line) => line.startsWith(`${name}:`))
    ?.slice(name.length + 1)
    .replace(/^ /, '')
