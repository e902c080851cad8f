// How each volume, snapshot and image was at any time, as far as whoever owns its key may ask: written in the transaction of the change, when
// the change is told. Every change has its event, so nothing has to remember to write it.

import type { Clock } from '#base/clock.ts'
import type { Outbox } from '#events/outbox.ts'
import type { Revocation } from '#kms/port.ts'
import { writeHistory } from './tables-ledger.ts'

/** `clock` is that of keys: what happened to a key and to its volumes is asked for by one time. */
export const withHistory = (outbox: Outbox, clock: Clock, revocation: Revocation): Outbox => ({
  async append(tx, event) {
    await outbox.append(tx, event)
    if ('volumeCrn' in event) await writeHistory(tx, event.volumeCrn, revocation, clock.now())
    if ('snapshotCrn' in event) await writeHistory(tx, event.snapshotCrn, revocation, clock.now())
    if ('imageCrn' in event) await writeHistory(tx, event.imageCrn, revocation, clock.now())
  },
})
