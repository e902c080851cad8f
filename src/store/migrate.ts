// Brings a database to the newest schema. Migrations are numbered, run once each, in order, each in a transaction, and
// never change after a release; a database that has migrations we do not know is newer than this program and is refused.

import { sql } from 'kysely'
import type { Kysely } from 'kysely'
import { Migrator } from 'kysely/migration'
import type { Migration } from 'kysely/migration'
import { Fault } from '#base/fault.ts'
import * as events from './migrations/0001-events.ts'
import * as iam from './migrations/0002-iam.ts'
import * as resources from './migrations/0003-resources.ts'
import * as kms from './migrations/0004-kms.ts'
import * as vpc from './migrations/0005-vpc.ts'
import * as kmsTally from './migrations/0006-kms-tally.ts'
import * as cos from './migrations/0007-cos.ts'
import * as vpcSnapshots from './migrations/0008-vpc-snapshots.ts'
import * as vpcPages from './migrations/0009-vpc-pages.ts'
import * as ledger from './migrations/0010-ledger.ts'
import * as auditLog from './migrations/0011-audit-log.ts'
import * as vpcImages from './migrations/0012-vpc-images.ts'
import * as vpcImageExports from './migrations/0013-vpc-image-exports.ts'
import * as vpcMachines from './migrations/0014-vpc-machines.ts'
import * as volumeIntegrity from './migrations/0016-volume-integrity.ts'
import * as vpcReencryption from './migrations/0017-vpc-reencryption.ts'
import * as bounds from './migrations/0018-bounds.ts'
import * as revocations from './migrations/0019-revocations.ts'
import * as quarantine from './migrations/0020-quarantine.ts'
import type { Schema } from './schema/schema.ts'

const migrations: Readonly<Record<string, Migration>> = {
  '0001-events': events,
  '0002-iam': iam,
  '0003-resources': resources,
  '0004-kms': kms,
  '0005-vpc': vpc,
  '0006-kms-tally': kmsTally,
  '0007-cos': cos,
  '0008-vpc-snapshots': vpcSnapshots,
  '0009-vpc-pages': vpcPages,
  '0010-ledger': ledger,
  '0011-audit-log': auditLog,
  '0012-vpc-images': vpcImages,
  '0013-vpc-image-exports': vpcImageExports,
  '0014-vpc-machines': vpcMachines,
  '0016-volume-integrity': volumeIntegrity,
  '0017-vpc-reencryption': vpcReencryption,
  '0018-bounds': bounds,
  '0019-revocations': revocations,
  '0020-quarantine': quarantine,
}

/** All of them in one transaction: a crash leaves the schema of before. Calls for the connection to itself. */
export async function migrate(database: Kysely<Schema>): Promise<void> {
  const provider = { getMigrations: () => Promise.resolve({ ...migrations }) }
  const migrator = new Migrator({ db: database, provider })
  const isOurs = !migratorBegins(database)
  if (isOurs) await sql`begin immediate`.execute(database)
  const { error } = await migrator.migrateToLatest()
  if (isOurs) await (error ? sql`rollback` : sql`commit`).execute(database)
  if (!error) return
  throw new Fault('unavailable', 'database could not be brought to the schema of this version', { cause: error })
}

/** The migrator itself begins no transaction on SQLite, although SQLite's DDL is transactional. */
const migratorBegins = (database: Kysely<Schema>): boolean =>
  database.getExecutor().adapter.supportsTransactionalDdl === true
