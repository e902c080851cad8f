// Waiting for somebody else, and not for ever.

import type { Clock } from './clock.ts'
import { Fault } from './fault.ts'

/**
 * The answer, or a Fault 'unavailable' with the sentence after `limitMs`. The work itself goes on: what it still brings is
 * given to `onLate`, and nobody hears of it failing.
 */
export function within<Answer>(
  clock: Clock,
  limitMs: number,
  answer: Promise<Answer>,
  otherwise: { readonly sentence: string; readonly onLate?: (answer: Answer) => void },
): Promise<Answer> {
  const { sentence, onLate } = otherwise
  return new Promise((resolve, reject) => {
    let isLate = false
    const cancel = clock.after(limitMs, () => {
      isLate = true
      reject(new Fault('unavailable', sentence))
    })
    answer.then((value) => (isLate ? onLate?.(value) : resolve(value)), reject).finally(cancel)
  })
}
