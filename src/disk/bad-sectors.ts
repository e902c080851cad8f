// The sectors of an open volume that were found to be other than what was written, until they are written again. Whoever
// keeps the book on volumes is told of every change, the newest once the last has arrived.

import type { Log } from '#base/log.ts'
import type { BadSectors } from './port.ts'

/** More are as bad as these. */
const namedMax = 64

export class BadSectorList {
  readonly #named: Set<number>
  #hasMore: boolean
  readonly #tell: (bad: BadSectors) => Promise<void>
  readonly #log: Log
  #isTelling = false
  #isStale = false

  constructor(known: BadSectors, tell: (bad: BadSectors) => Promise<void>, log: Log) {
    this.#named = new Set(known.sectors)
    this.#hasMore = known.hasMore
    this.#tell = tell
    this.#log = log
  }

  add(sector: number): void {
    if (this.#named.has(sector) || (this.#named.size >= namedMax && this.#hasMore)) return
    if (this.#named.size < namedMax) this.#named.add(sector)
    else this.#hasMore = true
    this.#log.error({ sector }, 'a sector is not what was written')
    void this.#report()
  }

  mend(sector: number): void {
    if (this.#named.size > 0 && this.#named.delete(sector)) void this.#report()
  }

  async #report(): Promise<void> {
    this.#isStale = true
    if (this.#isTelling) return
    this.#isTelling = true
    try {
      while (this.#isStale) {
        this.#isStale = false
        await this.#tell({ sectors: [...this.#named], hasMore: this.#hasMore, isLost: false })
      }
    } catch (err) {
      this.#log.error({ err }, 'bad sectors could not be reported')
    } finally {
      this.#isTelling = false
    }
  }
}
