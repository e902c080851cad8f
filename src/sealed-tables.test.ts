// A column with sealed records that a rotation does not know would be lost with the old master key: every column of bytes
// is either known, or known not to be sealed.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { openSqlite } from '#store/sqlite.ts'
import { sealedTables } from './sealed-tables.ts'

/** Wrapped by a root key, and so under the master key already. */
const isWrapped = (name: string): boolean =>
  name.endsWith('wrapped_data_key') || ['vpc_image.file_passphrase', 'vpc_image_export.passphrase'].includes(name)

const noSecrets: ReadonlySet<string> = new Set([
  'store_meta.value',
  'audit_log_tile.hashes',
  'kms_wrapped_key.sha256',
  'kms_wrapped_key.salt',
  'vpc_volume_root.mac',
])

test('every column of bytes is re-sealed, or holds nothing sealed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'keyward-sealed-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const path = join(folder, 'keyward.db')
  await (await openSqlite(path)).close()
  const database = new DatabaseSync(path, { readOnly: true })
  t.after(() => database.close())
  const columns = database
    .prepare(
      `select t.name || '.' || c.name as name from sqlite_schema t, pragma_table_info(t.name) c
       where t.type = 'table' and lower(c.type) = 'blob'`,
    )
    .all()
    .map((row) => String(row['name']))
  const known = new Set(sealedTables.map(({ name }) => name))
  assert.deepEqual(
    columns.filter((name) => !known.has(name) && !isWrapped(name) && !noSecrets.has(name)),
    [],
  )
})
