import { deepEqual, equal, throws } from 'node:assert/strict'
import { test } from 'node:test'
import type { Fault } from '#base/fault.ts'
import { conditionsOf, isOf, judge, rangeOf } from './conditions.ts'

const modified = Date.UTC(2026, 0, 2, 3, 4, 5)
const object = { etag: 'abc', modified_at: modified + 678 }
const at = (seconds: number): string => new Date(modified + seconds * 1000).toUTCString()

const cases: readonly (readonly [Record<string, string>, ReturnType<typeof judge>])[] = [
  [{}, 'go'],
  [{ 'if-match': '"abc"' }, 'go'],
  [{ 'if-match': '"x", "abc"' }, 'go'],
  [{ 'if-match': '*' }, 'go'],
  [{ 'if-match': '"x"' }, 'failed'],
  [{ 'if-none-match': '"abc"' }, 'not-modified'],
  [{ 'if-none-match': 'W/"abc"' }, 'not-modified'],
  [{ 'if-none-match': '"x"' }, 'go'],
  [{ 'if-modified-since': at(0) }, 'not-modified'],
  [{ 'if-modified-since': at(-1) }, 'go'],
  [{ 'if-modified-since': 'nonsense' }, 'go'],
  [{ 'if-unmodified-since': at(0) }, 'go'],
  [{ 'if-unmodified-since': at(-1) }, 'failed'],
  // RFC 9110, "Precedence of Preconditions".
  [{ 'if-match': '"abc"', 'if-unmodified-since': at(-1) }, 'go'],
  [{ 'if-none-match': '"x"', 'if-modified-since': at(0) }, 'go'],
  [{ 'if-match': '"x"', 'if-none-match': '"abc"' }, 'failed'],
]
for (const [headers, verdict] of cases) {
  test(`${JSON.stringify(headers)}: ${verdict}`, () => equal(judge(conditionsOf(headers), object), verdict))
}

test('a range is of the version that it names, or there is none', () => {
  for (const is of ['"abc"', at(0)]) equal(isOf(is, object), true)
  for (const other of ['"x"', 'W/"abc"', at(1), at(-1), '']) equal(isOf(other, object), false)
})

test('ranges', () => {
  const of10 = (header: string | undefined) => rangeOf(header, 10)
  for (const whole of [undefined, '', 'bytes=', 'bytes=-', 'bytes=3-2', 'bytes=0-1,3-4', 'lines=1-2', 'bytes=x-y']) {
    equal(of10(whole), null, String(whole))
  }
  deepEqual(of10('bytes=0-0'), { first: 0, last: 0 })
  deepEqual(of10('bytes=9-'), { first: 9, last: 9 })
  deepEqual(of10('bytes=-100'), { first: 0, last: 9 })
  deepEqual(of10('bytes=2-999999999999999'), { first: 2, last: 9 })
  const unsatisfiable = (fault: Fault) => fault.reason === 'InvalidRange'
  for (const header of ['bytes=10-', 'bytes=10-20', 'bytes=-0']) throws(() => of10(header), unsatisfiable)
  for (const header of ['bytes=0-0', 'bytes=0-', 'bytes=-1']) throws(() => rangeOf(header, 0), unsatisfiable)
})
