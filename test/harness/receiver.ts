// A receiver of webhooks: an HTTP server of the test's own on loopback.

import { createServer } from 'node:http'
import type { IncomingHttpHeaders } from 'node:http'
import type { TestContext } from 'node:test'
import { afterwards } from './server.ts'

export interface Received {
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly path: string
}

export interface Receiver {
  readonly url: string
  readonly received: readonly Received[]
  /** What is answered from now on; 200 at first. A location makes it a redirect. */
  answer(status: number, location?: string): void
}

export async function startReceiver(t: TestContext): Promise<Receiver> {
  const received: Received[] = []
  let status = 200
  let location: string | undefined
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      received.push({ headers: request.headers, body, path: request.url ?? '' })
      response.writeHead(status, location === undefined ? {} : { location }).end('thank you')
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  afterwards(t, () => {
    server.closeAllConnections()
    server.close()
  })
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/hook`,
    received,
    answer(next, to) {
      status = next
      location = to
    },
  }
}
