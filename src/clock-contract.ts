// The virtual clock of keys, for rehearsals: whoever runs a server with `--clock virtual` sets it forward and sees what
// comes of it: expiries, rotations, purges, waits that end. Keyward's own; the credential is the operator's. A server on
// the system's clock does not have these operations.

import { Type } from 'typebox'
import { rfc3339 } from '#base/clock.ts'
import type { Contract, Routes } from '#base/contract.ts'
import { clockAdvanceSecondsMax } from '#base/limits.ts'
import type { VirtualClock } from '#base/virtual-clock.ts'
import type { Anyone } from '#iam/port.ts'

const clockReply = Type.Object({ now: Type.String(), ahead_seconds: Type.Number() })

export const clockContract = {
  getClock: {
    method: 'GET',
    path: '/keyward/v1/clock',
    summary: 'Read the virtual clock of keys',
    action: 'keyward.clock.read',
    status: 200,
    reply: clockReply,
  },
  advanceClock: {
    method: 'POST',
    path: '/keyward/v1/clock/advance',
    summary: 'Set the virtual clock of keys forward; what has become due is done before the answer',
    action: 'keyward.clock.advance',
    body: Type.Object(
      { seconds: Type.Number({ exclusiveMinimum: 0, maximum: clockAdvanceSecondsMax }) },
      { additionalProperties: false },
    ),
    status: 200,
    reply: clockReply,
  },
} as const satisfies Contract

/** `afterwards` does what has become due. */
export function clockRoutes(
  clock: VirtualClock,
  afterwards: () => Promise<void>,
): Routes<typeof clockContract, Anyone, Anyone> {
  const read = () => ({ now: rfc3339(clock.now()), ahead_seconds: clock.aheadMs() / 1000 })
  return {
    getClock: async () => read(),
    async advanceClock(_, { body }) {
      clock.advance(body.seconds * 1000)
      await afterwards()
      return read()
    },
  }
}
