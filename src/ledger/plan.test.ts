import assert from 'node:assert/strict'
import { test } from 'node:test'
import { standsAgainst } from './plan.ts'
import type { Answer, Concerned, Plan } from './plan.ts'

const plan: Plan = {
  id: 'p',
  ownerAccountId: 'a',
  keyCrn: 'crn',
  keyId: 'k',
  action: 'delete',
  reason: 'why',
  plannedAt: 1000,
  state: 'announced',
  createdAt: 0,
  createdBy: 'x',
  endedAt: null,
}

const concerned = (accountId: string, answer: Answer['answer'] | null): Concerned => ({
  accountId,
  resourceCount: 1,
  answer: answer && { accountId, answer, reason: null, answeredAt: 1, answeredBy: 'y' },
})

test('standsAgainst() names what stands in the way, and nothing once time has come and all agree', () => {
  const table: readonly (readonly [number, readonly Concerned[], readonly RegExp[]])[] = [
    [1000, [], []],
    [999, [], [/planned for/]],
    [1000, [concerned('b', 'acknowledged')], []],
    [1000, [concerned('b', null)], [/not answered: b/]],
    [1000, [concerned('b', 'objected'), concerned('c', 'acknowledged')], [/object: b$/]],
    [0, [concerned('b', 'objected'), concerned('c', null)], [/planned for/, /not answered: c/, /object: b/]],
  ]
  for (const [now, accounts, wanted] of table) {
    const found = standsAgainst(plan, accounts, now)
    assert.equal(found.length, wanted.length)
    for (const [at, pattern] of wanted.entries()) assert.match(found[at] ?? '', pattern)
  }
})
