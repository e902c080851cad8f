// What this service is made of: everything from outside, handed in once.

import type { Clock } from '#base/clock.ts'
import { volumeRequestMsMax } from '#base/limits.ts'
import type { Log } from '#base/log.ts'
import type { Random } from '#base/random.ts'
import type { ComputePort } from '#compute/port.ts'
import type { CosPort } from '#cos/port.ts'
import type { DiskPort } from '#disk/port.ts'
import type { Outbox } from '#events/outbox.ts'
import type { IamPort, ListingPort } from '#iam/port.ts'
import type { KmsPort, Revocation } from '#kms/port.ts'
import type { ResourcesPort } from '#resources/port.ts'
import type { Database } from '#store/database.ts'
import type { Quotas } from './quotas.ts'

export interface VpcParts {
  readonly database: Database
  readonly outbox: Outbox
  readonly clock: Clock
  /** Of keys: histories are written by it. */
  readonly keyClock: Clock
  readonly random: Random
  readonly log: Log
  /** The one region that this installation is. */
  readonly region: string
  readonly iam: IamPort & ListingPort
  readonly kms: KmsPort
  readonly disk: DiskPort
  readonly compute: ComputePort
  readonly cos: Pick<CosPort, 'readObject' | 'writeObject' | 'placeForWriting' | 'deleteObject'>
  readonly resources: ResourcesPort
  readonly revocation: Revocation
  readonly quotas: Quotas
  /**
   * Since when this process has been at work: a request that began before it is nobody's any more. (With several replicas
   * a request will have to say whose it is.)
   */
  readonly startedAt: number
}

/** Requests that began before this moment will not be answered by anybody. */
export const overdueBefore = ({ clock, startedAt }: VpcParts): number =>
  Math.max(startedAt, clock.now() - volumeRequestMsMax)
