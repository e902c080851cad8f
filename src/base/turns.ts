// One thing at a time for each name: opening, closing, creating and deleting a volume never overlap.

export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  /** Runs `work` when everything that asked for `name` before has settled. */
  async take<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(name) ?? Promise.resolve()
    const result = before.then(work)
    const settled = Promise.allSettled([result]).then(() => undefined)
    this.#last.set(name, settled)
    try {
      return await result
    } finally {
      if (this.#last.get(name) === settled) this.#last.delete(name)
    }
  }
}
