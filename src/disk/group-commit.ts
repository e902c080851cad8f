// One fdatasync at a time, for everybody who asked before it began. Whoever asks while one is running is served by the
// next, since the running one may have missed their writes.

export class GroupCommit {
  readonly #sync: () => Promise<void>
  #running: Promise<void> | null = null
  #next: Promise<void> | null = null
  #failure: { readonly error: unknown } | null = null

  /** `sync` makes durable all that was written before it was called. */
  constructor(sync: () => Promise<void>) {
    this.#sync = sync
  }

  /**
   * Settles like a sync that began after the call. After one failure every later commit fails too: the kernel reports
   * a lost write once and then calls the page clean, so a second fdatasync that succeeds would be a lie.
   */
  commit(): Promise<void> {
    if (!this.#running) return this.#start()
    this.#next ??= this.#running.then(
      () => this.#start(),
      () => this.#start(),
    )
    return this.#next
  }

  /** Waits until nothing runs; for closing the file. Never rejects. */
  async settle(): Promise<void> {
    while (this.#running) await (this.#next ?? this.#running).catch(() => undefined)
  }

  #start(): Promise<void> {
    this.#next = null
    this.#running = this.#run().finally(() => {
      this.#running = null
    })
    return this.#running
  }

  async #run(): Promise<void> {
    if (this.#failure) throw this.#failure.error
    try {
      await this.#sync()
    } catch (error) {
      this.#failure = { error }
      throw error
    }
  }
}
