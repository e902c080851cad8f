// Who works on which bytes of a device. Claims on overlapping ranges are served in order of arrival, except that readers
// share. A claim that meets nobody is granted without waiting, which is nearly always so.

interface Claim {
  readonly from: number
  readonly to: number
  readonly exclusive: boolean
  /** Present while the claim waits. */
  grant: (() => void) | null
}

export interface ClaimedRange {
  readonly offset: number
  readonly byteCount: number
  readonly exclusive: boolean
}

export class RangeLock {
  /** Granted and waiting claims, oldest first. */
  readonly #claims: Claim[] = []
  #waiting = 0

  /** Runs `work` when no earlier claim conflicts, and lets later ones go on when it has settled. */
  async run<Result>(range: ClaimedRange, work: () => Promise<Result>): Promise<Result> {
    const { offset, byteCount, exclusive } = range
    const claim: Claim = { from: offset, to: offset + byteCount, exclusive, grant: null }
    const blocked = this.#isBlocked(claim, this.#claims.length)
    this.#claims.push(claim)
    if (blocked) await this.#turnOf(claim)
    try {
      return await work()
    } finally {
      this.#claims.splice(this.#claims.indexOf(claim), 1)
      if (this.#waiting > 0) this.#grantWhatCanBe()
    }
  }

  #turnOf(claim: Claim): Promise<void> {
    this.#waiting += 1
    return new Promise((resolve) => {
      claim.grant = resolve
    })
  }

  /** Whether one of the first `count` claims, all older, conflicts. */
  #isBlocked(claim: Claim, count: number): boolean {
    for (let index = 0; index < count; index += 1) {
      const older = this.#claims[index]
      if (!older) break
      if ((older.exclusive || claim.exclusive) && older.from < claim.to && claim.from < older.to) return true
    }
    return false
  }

  #grantWhatCanBe(): void {
    for (const [index, claim] of this.#claims.entries()) {
      if (!claim.grant || this.#isBlocked(claim, index)) continue
      claim.grant()
      claim.grant = null
      this.#waiting -= 1
    }
  }
}
