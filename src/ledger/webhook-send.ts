// One delivery: a signed POST to an address that has been looked at. Redirects are not followed, the answer's body is not
// used, and neither size nor time is the receiver's to choose.
// Source: Standard Webhooks, "Signature scheme", "Webhook headers".

import { createHmac } from 'node:crypto'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { Fault } from '#base/fault.ts'
import { webhookAnswerBytesMax, webhookTimeoutMs } from '#base/limits-ledger.ts'
import { addressOf, parseTarget } from './webhook-target.ts'
import type { Address, Resolve } from './webhook-target.ts'

export interface Sending {
  readonly url: string
  /** The notice's id: the same for every attempt and every webhook, so that a receiver knows what it has. */
  readonly id: string
  readonly body: string
  /** The newest first; each signs. */
  readonly secrets: readonly Uint8Array[]
  readonly allowPrivate: boolean
  readonly resolve: Resolve
  /** Ends the attempt, whatever it waits for. */
  readonly signal: AbortSignal
  /** Of the world: receivers compare it with their own clocks. */
  readonly now: number
}

export type Sent = { readonly status: number } | { readonly problem: string }

export async function send(sending: Sending): Promise<Sent> {
  try {
    const url = parseTarget(sending.url, sending.allowPrivate)
    const signal = AbortSignal.any([sending.signal, AbortSignal.timeout(webhookTimeoutMs)])
    const address = await orAborted(addressOf(url, sending.allowPrivate, sending.resolve), signal)
    return { status: await post(url, address, sending, signal) }
  } catch (error) {
    if (error instanceof Fault) return { problem: error.message }
    return { problem: problemOf(error) }
  }
}

/** `v1,` and base64 of HMAC-SHA256 over id, time and body; several are separated by spaces. */
export function signatures({ id, body, secrets }: Pick<Sending, 'id' | 'body' | 'secrets'>, seconds: number): string {
  const signed = `${id}.${seconds}.${body}`
  return secrets.map((secret) => `v1,${createHmac('sha256', secret).update(signed).digest('base64')}`).join(' ')
}

/** Names are looked up by the system, which takes no signal. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const end = () => reject(signal.reason)
  signal.addEventListener('abort', end)
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', end))
}

function post(url: URL, { address, family }: Address, sending: Sending, signal: AbortSignal): Promise<number> {
  const seconds = Math.floor(sending.now / 1000)
  const body = Buffer.from(sending.body)
  const headers = {
    'content-type': 'application/cloudevents+json; charset=utf-8',
    'content-length': body.length,
    'user-agent': 'keyward',
    'webhook-id': sending.id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signatures(sending, seconds),
  }
  // Node asks for the address of the host with this: it gets the one that was looked at, and no other.
  const lookup: LookupFunction = (_host, { all }, found) =>
    all === true ? found(null, [{ address, family }]) : found(null, address, family)
  const options = {
    method: 'POST',
    headers,
    lookup,
    agent: false,
    signal,
  } as const
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(url, options, (answer) => {
      let read = 0
      answer.on('data', (chunk: Buffer) => {
        read += chunk.length
        if (read > webhookAnswerBytesMax) answer.destroy()
      })
      // The status is what matters; a body that breaks off or never ends takes nothing away from it.
      answer.on('error', () => {})
      answer.once('close', () => resolve(answer.statusCode ?? 0))
    })
    request.once('error', reject)
    request.end(body)
  })
}

/** By its code: messages of the system name addresses, which a tenant has no business to learn. */
function problemOf(error: unknown): string {
  if (!(error instanceof Error)) return 'the receiver could not be reached'
  if (error.name === 'TimeoutError' || error.name === 'AbortError') {
    return `no answer within ${webhookTimeoutMs / 1000} seconds`
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'
  return `the receiver could not be reached (${code})`
}
