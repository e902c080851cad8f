// Rows for measurements on a large server, written past the quota that requests keep to.

import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Json } from '../test/harness/api.ts'

export const databasePath = (folder: string): string => join(folder, 'keyward.db')

/**
 * Copies the one volume: `own` rows for the account, and the rest for others of 300 each. Rows only: the registrations and
 * images of the copies are the first one's, which lists do not ask for.
 */
export function copyVolumes(folder: string, accountId: string, own: number, others: number): void {
  using database = new DatabaseSync(databasePath(folder))
  const columns: Json[] = database.prepare('select name from pragma_table_info(?)').all('vpc_volume')
  const made: Readonly<Record<string, string>> = {
    id: "'r006-' || printf('%08x-0000-4000-8000-000000000000', n)",
    name: "'copy-' || n",
    crn: "'crn:v1:bluemix:public:is:us-south-1:a/' || v.account_id || '::volume:copy-' || n",
    account_id: "case when n <= $own then v.account_id else printf('%032x', n / 300) end",
    created_at: 'v.created_at + n',
    // The follower of rotations passes it over: the copies have no registration that it could compare.
    key_version_id: 'null',
    // As the server finds it for accounts that no policy names: nothing is left to follow.
    key_standing: "case when n <= $own then v.key_standing else 'unauthorized' end",
  }
  const values = columns.map(({ name }: { name: string }) => made[name] ?? `v.${name}`)
  database
    .prepare(
      `with recursive count(n) as (select 1 union all select n + 1 from count where n < $all)
       insert into vpc_volume select ${values.join(', ')} from vpc_volume v, count where v.account_id = $account`,
    )
    .run({ $own: own, $all: own + others, $account: accountId })
}
