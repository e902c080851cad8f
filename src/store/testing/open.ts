// The database of a test: of the embedded engine, or, where KEYWARD_TEST_DATABASE names a PostgreSQL server, one of its
// own there. A path that was opened before is the same database again.

import { Client } from 'pg'
import { makeUuid } from '#base/id.ts'
import { systemRandom } from '#base/random.ts'
import type { Database } from '../database.ts'
import { openPostgres } from '../postgres.ts'
import { openSqlite } from '../sqlite.ts'

const server = process.env['KEYWARD_TEST_DATABASE']

/** For tests that look into the files of the embedded database, or at how it plans a query. */
export const embeddedOnly = { skip: server !== undefined && 'it is about the embedded database' }

export async function openForTest(path: string): Promise<Database> {
  const url = await urlForTest(path)
  if (url === null) return await openSqlite(path)
  return await openPostgres({ url })
}

/** Of the database for a path; null for the embedded one. */
export async function urlForTest(path: string): Promise<string | null> {
  if (server === undefined) return null
  const url = new URL(server)
  url.pathname = `/${known.get(path) ?? (await create(path))}`
  return url.href
}

const known = new Map<string, string>()

async function create(path: string): Promise<string> {
  const name = `test_${makeUuid(systemRandom).replaceAll('-', '')}`
  const client = new Client({ connectionString: server })
  await client.connect()
  await client.query(`create database ${name} template ${await template(client)} strategy file_copy`)
  await client.end()
  known.set(path, name)
  return name
}

/** Brought to the newest schema once for all tests of a run. */
async function template(client: Client): Promise<string> {
  const name = 'test_template'
  await client.query('select pg_advisory_lock(1)')
  const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name])
  if (rowCount === 0) {
    await client.query(`create database ${name}_new`)
    const url = new URL(server ?? '')
    url.pathname = `/${name}_new`
    const database = await openPostgres({ url: url.href })
    await database.close()
    await client.query(`alter database ${name}_new rename to ${name}`)
  }
  await client.query('select pg_advisory_unlock(1)')
  return name
}
