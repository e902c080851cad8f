// The book on authenticated volumes, in memory, for tests of the data plane: it remembers, and never goes back.

import { Fault } from '#base/fault.ts'
import type { BadSectors, IntegrityBook, TagState } from '../port.ts'

export interface MemoryBook extends IntegrityBook {
  readonly states: Map<string, TagState>
  readonly bad: Map<string, BadSectors>
}

const nothingBad: BadSectors = { sectors: [], hasMore: false, isLost: false }

export function memoryBook(): MemoryBook {
  const states = new Map<string, TagState>()
  const bad = new Map<string, BadSectors>()
  return {
    states,
    bad,
    async remembered(volumeId) {
      const state = states.get(volumeId)
      return state ? { state, bad: bad.get(volumeId) ?? nothingBad } : null
    },
    async remember(volumeId, state) {
      const before = states.get(volumeId)
      if (before && before.generation >= state.generation) throw new Fault('conflict', 'a later state is remembered')
      states.set(volumeId, state)
    },
    async noteBad(volumeId, found) {
      bad.set(volumeId, found)
    },
  }
}
