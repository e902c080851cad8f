// Assertions state what must be true if our own code is right. A false one is a bug: the request ends in a 500 with its
// transaction rolled back; in a disk process the process stops, because half-known state must not write.

export class BrokenAssertion extends Error {
  override readonly name = 'BrokenAssertion'
}

export function assert(condition: unknown, truth: string): asserts condition {
  if (!condition) throw new BrokenAssertion(`not so: ${truth}`)
}
