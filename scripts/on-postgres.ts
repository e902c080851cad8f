// Runs the given test files against a PostgreSQL of their own instead of the embedded database:
//
//   npm run test:postgres -- src/kms/*.test.ts test/mission.test.ts

import { spawnSync } from 'node:child_process'
import { startPostgres } from '../test/harness/postgres.ts'

await using server = await startPostgres()
const flags = ['--disable-warning=ExperimentalWarning', '--test']
const { status } = spawnSync(process.execPath, [...flags, ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: { ...process.env, KEYWARD_TEST_DATABASE: server.urlOf('postgres') },
})
process.exitCode = status ?? 1
