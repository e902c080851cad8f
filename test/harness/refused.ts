// The error body of VPC, as every refusal has it. Source: VPC API, "Error handling".

import assert from 'node:assert/strict'
import type { Answer, Json } from './api.ts'

/** The target may be said in part. */
export function assertRefused(
  { status, body, headers }: Answer,
  expected: readonly [status: number, code: string | RegExp],
  target?: Json,
): void {
  const [error, ...more]: readonly Json[] = body.errors ?? []
  assert.equal(status, expected[0], JSON.stringify(body))
  if (expected[1] instanceof RegExp) assert.match(error?.code, expected[1])
  else assert.equal(error?.code, expected[1], JSON.stringify(body))
  assert.deepEqual(more, [])
  assert.match(error.message, /\w/)
  assert.equal(body.trace, headers.get('x-request-id'))
  if (target !== undefined) assert.partialDeepStrictEqual(error.target, target)
}
