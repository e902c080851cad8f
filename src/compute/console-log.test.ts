import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConsoleBuffer } from './console-log.ts'

test('the end of what was printed is kept, whatever the pieces, and the rest is counted', () => {
  const text = Array.from({ length: 6000 }, (_, i) => `line ${i}\n`).join('')
  for (const pieceBytes of [1, 7, 4095, 4096, 4097, 20_000, text.length]) {
    const buffer = new ConsoleBuffer(10_000)
    for (let at = 0; at < text.length; at += pieceBytes) buffer.append(Buffer.from(text.slice(at, at + pieceBytes)))
    assert.deepEqual(buffer.read(), { text: text.slice(-10_000), skippedBytes: text.length - 10_000 }, `${pieceBytes}`)
  }
})

test('nothing printed is nothing skipped, and what is no text is text in the end', () => {
  const buffer = new ConsoleBuffer(8)
  assert.deepEqual(buffer.read(), { text: '', skippedBytes: 0 })
  buffer.append(Buffer.from([0x6f, 0xff, 0x6b]))
  assert.deepEqual(buffer.read(), { text: 'o\ufffdk', skippedBytes: 0 })
})
