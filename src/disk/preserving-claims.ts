// Claims of those who may change bytes while a snapshot is being made of them. A claim to change something is granted when
// the snapshot has its copy of it; where it has not, the chunk is copied first, under a claim of its own. Without a
// snapshot, this is one look at a word in memory.

import type { Preservation } from './preservation.ts'
import type { Keeper } from './keeper.ts'
import type { Claims } from './range-lock.ts'

const isPendingAnswer = Symbol('pending')

export function preservingClaims(claims: Claims, preservation: Preservation, keeper: Keeper): Claims {
  return {
    tryClaim(offset, byteCount, exclusive) {
      const place = claims.tryClaim(offset, byteCount, exclusive)
      // Asked under the claim: only there does the answer last.
      if (place < 0 || !exclusive || !preservation.isPending(offset, byteCount)) return place
      claims.release(place)
      return -1
    },
    release: (place) => claims.release(place),
    async run(range, work) {
      if (!range.exclusive) return claims.run(range, work)
      for (;;) {
        const answer = await claims.run(range, async () =>
          preservation.isPending(range.offset, range.byteCount) ? isPendingAnswer : work(),
        )
        if (answer !== isPendingAnswer) return answer
        await keepChunks(range.offset, range.offset + range.byteCount)
      }
    },
  }

  /** A chunk at a time, since a large request would hold up what others want of its other chunks. */
  async function keepChunks(offset: number, end: number): Promise<void> {
    for (let start = preservation.chunkStart(offset); start < end; start = preservation.chunkEnd(start)) {
      const chunk = { offset: start, byteCount: preservation.chunkEnd(start) - start, exclusive: true }
      await claims.run(chunk, () => keeper.keep(chunk.offset, chunk.byteCount))
    }
  }
}
