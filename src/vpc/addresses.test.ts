import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatBlock, freeAddress, freeBlock, isUsable, parseAddress, parseBlock } from './addresses.ts'

const block = (text: string) => {
  const parsed = parseBlock(text)
  assert.ok(parsed, text)
  return parsed
}

test('blocks are read with their network address only, and written as they were read', () => {
  for (const text of ['10.240.0.0/18', '192.168.4.0/29', '0.0.0.0/0', '255.255.255.255/32']) {
    assert.equal(formatBlock(block(text)), text)
  }
  for (const text of ['10.240.0.1/18', '10.0.0.0', '10.0.0/8', '256.0.0.0/8', '10.0.0.0/33', '10.0.0.0/-1', '', '/']) {
    assert.equal(parseBlock(text), null, text)
  }
})

test('a free block is the lowest that overlaps nothing', () => {
  const space = [block('10.0.0.0/24')]
  assert.deepEqual(freeBlock(space, [], 64), block('10.0.0.0/26'))
  assert.deepEqual(freeBlock(space, [block('10.0.0.0/28')], 64), block('10.0.0.64/26'))
  assert.deepEqual(freeBlock(space, [block('10.0.0.0/26'), block('10.0.0.128/25')], 64), block('10.0.0.64/26'))
  assert.equal(freeBlock(space, [block('10.0.0.0/25'), block('10.0.0.128/25')], 8), null)
  assert.equal(freeBlock(space, [], 512), null)
})

test('a subnet keeps its first four addresses and its last', () => {
  const subnet = block('10.0.0.0/29')
  const taken = new Set<number>()
  const given: number[] = []
  for (let next = freeAddress(subnet, taken); next !== null; next = freeAddress(subnet, taken)) {
    taken.add(next)
    given.push(next - subnet.first)
  }
  assert.deepEqual(given, [4, 5, 6])
  assert.equal(isUsable(subnet, parseAddress('10.0.0.7') ?? 0), false)
})
