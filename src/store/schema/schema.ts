// Every table, by service. A table's name begins with its service, and only that service's tables.ts may name it.

import type { AuditTables } from './audit.ts'
import type { CosTables } from './cos.ts'
import type { EventTables } from './events.ts'
import type { IamTables } from './iam.ts'
import type { KmsRevocationTables } from './kms-revocations.ts'
import type { KmsTables } from './kms.ts'
import type { LedgerTables } from './ledger.ts'
import type { ResourceTables } from './resources.ts'
import type { VpcImageTables } from './vpc-images.ts'
import type { VpcReencryptionTables } from './vpc-reencryption.ts'
import type { VpcSnapshotTables } from './vpc-snapshots.ts'
import type { VpcTables } from './vpc.ts'

export type Schema = AuditTables &
  CosTables &
  EventTables &
  IamTables &
  ResourceTables &
  KmsTables &
  KmsRevocationTables &
  VpcTables &
  VpcSnapshotTables &
  VpcImageTables &
  VpcReencryptionTables &
  LedgerTables
