import assert from 'node:assert/strict'
import { test } from 'node:test'
import { array, assert as holds, integer, nat, property, record, uniqueArray } from 'fast-check'
import { graphOf } from './graph-layout.ts'

const account = (n: number): string => String(n).repeat(32)
const keyCrn = (owner: number, id: number): string =>
  `crn:v1:bluemix:public:kms:us-south:a/${account(owner)}:i:key:${id}`
const volumeCrn = (owner: number, id: number): string =>
  `crn:v1:bluemix:public:is:us-south-1:a/${account(owner)}::volume:${id}`

test('graphOf() puts the own account first and counts by account and key', () => {
  const graph = graphOf({
    own: account(2),
    keys: [
      { crn: keyCrn(1, 1), name: 'theirs', works: true },
      { crn: keyCrn(2, 2), name: 'ours', works: false },
    ],
    resources: [
      { crn: volumeCrn(2, 1), keyCrn: keyCrn(1, 1) },
      { crn: volumeCrn(2, 2), keyCrn: keyCrn(1, 1) },
      { crn: volumeCrn(3, 3), keyCrn: keyCrn(2, 2) },
    ],
    promised: [
      { accountId: account(4), keyCrn: keyCrn(2, 2) },
      { accountId: account(3), keyCrn: keyCrn(2, 2) },
    ],
  })
  assert.deepEqual(
    graph.keys.map((key) => key.text),
    ['ours', 'theirs'],
  )
  assert.deepEqual(
    graph.groups.map(({ accountId, text, works }) => [accountId, text, works]),
    [
      [account(2), '2 volumes', true],
      [account(3), '1 volume', false],
      // Account 3 is authorized too, and has something already.
      [account(4), 'authorized, nothing yet', false],
    ],
  )
  assert.deepEqual(
    graph.lines.map((line) => line.isPromise),
    [false, false, true],
  )
})

const small = integer({ min: 1, max: 5 })

test('graphOf() lays no box over another, loses no resource of a known key, and draws no line into the void', () => {
  const ends = record({ owner: small, key: small, id: nat(50) })
  holds(
    property(
      uniqueArray(record({ owner: small, id: small }), { selector: (k) => `${k.owner} ${k.id}` }),
      array(ends),
      (keys, all) => {
        const known = keys.map(({ owner, id }) => ({ crn: keyCrn(owner, id), name: `k${id}`, works: true }))
        const resources = all.map(({ owner, key, id }) => ({ crn: volumeCrn(owner, id), keyCrn: keyCrn(owner, key) }))
        const graph = graphOf({ own: account(1), keys: known, resources, promised: [] })
        for (const boxes of [graph.keys, graph.groups]) {
          const ys = boxes.map((box) => box.y)
          assert.deepEqual(
            ys,
            [...new Set(ys)].sort((a, b) => a - b),
          )
          assert.ok(ys.every((y) => y >= 0 && y < graph.height))
        }
        const crns = new Set(known.map((key) => key.crn))
        const drawn = graph.groups.reduce((sum, group) => sum + group.count, 0)
        assert.equal(drawn, resources.filter((one) => crns.has(one.keyCrn)).length)
        const [keyYs, groupYs] = [new Set(graph.keys.map((box) => box.y)), new Set(graph.groups.map((box) => box.y))]
        assert.ok(graph.lines.every((line) => keyYs.has(line.fromY) && groupYs.has(line.toY)))
      },
    ),
  )
})
