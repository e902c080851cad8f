// A client of server-sent events, as far as the tests need one.

import assert from 'node:assert/strict'
import type { Api, Json } from './api.ts'

export interface Message {
  readonly id: string
  readonly event: string
  readonly data: Json
}

export interface EventStream {
  /** The next message; comments are passed over. Null when the server has ended the stream. */
  next(): Promise<Message | null>
  close(): void
}

export async function openStream(
  baseUrl: string,
  reader: Api,
  headers: Readonly<Record<string, string>> = {},
): Promise<EventStream> {
  const ending = new AbortController()
  const response = await fetch(`${baseUrl}/keyward/v1/notices/stream`, {
    headers: { authorization: `Bearer ${await reader.token()}`, ...headers },
    signal: ending.signal,
  })
  assert.equal(response.status, 200)
  assert.match(response.headers.get('content-type') ?? '', /^text\/event-stream/)
  const chunks = response.body?.pipeThrough(new TextDecoderStream()).getReader()
  assert.ok(chunks)
  let text = ''
  return {
    async next() {
      for (;;) {
        const end = text.indexOf('\n\n')
        if (end < 0) {
          const { done, value } = await chunks.read()
          if (done) return null
          text += value
          continue
        }
        const lines = text.slice(0, end).split('\n')
        text = text.slice(end + 2)
        const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2)
        const id = field('id')
        if (id !== undefined) return { id, event: field('event') ?? '', data: JSON.parse(field('data') ?? '') }
      }
    },
    close: () => ending.abort(),
  }
}
