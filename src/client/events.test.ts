import assert from 'node:assert/strict'
import { test } from 'node:test'
import { streamedEvents } from './events.ts'

const stream =
  'retry: 2000\n\n: still here\n\nid: n-1\nevent: keyward.key.disabled\ndata: {"é":1}\n\nid: n-2\ndata: {}\n\nid: cut'

async function eventsOf(pieceBytes: number) {
  const bytes = new TextEncoder().encode(stream)
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
  }
  return await Array.fromAsync(streamedEvents(pieces()))
}

test('streamedEvents() finds complete events, however the stream is cut', async () => {
  for (const pieceBytes of [1, 2, 7, 64, 4096]) {
    assert.deepEqual(await eventsOf(pieceBytes), [
      { id: 'n-1', type: 'keyward.key.disabled', data: '{"é":1}' },
      { id: 'n-2', type: 'message', data: '{}' },
    ])
  }
})
