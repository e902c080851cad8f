import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventIds } from './event-ids.ts'

const stream =
  'retry: 2000\n\n: still here\n\nid: n-1\nevent: keyward.key.disabled\ndata: {"é":1}\n\nid: n-2\ndata: {}\n\nid: cut'

async function idsOf(pieceBytes: number): Promise<string[]> {
  const bytes = new TextEncoder().encode(stream)
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
  }
  return await Array.fromAsync(eventIds(pieces()))
}

test('eventIds() finds complete events, however the stream is cut', async () => {
  for (const pieceBytes of [1, 2, 7, 64, 4096]) assert.deepEqual(await idsOf(pieceBytes), ['n-1', 'n-2'])
})
