// A lock in memory that threads share: one number, 0 when free, 1 when held, 2 when held and somebody waits. It is held
// for as long as its caller says, so a thread with an event loop to run only takes those that are held for moments.

export function lock(words: Int32Array, index: number): void {
  if (Atomics.compareExchange(words, index, 0, 1) === 0) return
  while (Atomics.exchange(words, index, 2) !== 0) Atomics.wait(words, index, 2)
}

export function unlock(words: Int32Array, index: number): void {
  if (Atomics.exchange(words, index, 0) === 2) Atomics.notify(words, index, 1)
}
