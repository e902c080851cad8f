// Which account the next command is for, and who one is there.

import { command } from './command.ts'
import { details, done, listed } from './shown.ts'
import type { Target } from './targets.ts'

const shape = ({ name, url, accountId, userName, iamId }: Target, current: string | null) => ({
  target: name,
  current: name === current,
  url,
  account_id: accountId,
  iam_id: iamId,
  name: userName,
})

export const targetCommands = [
  command({
    name: 'target',
    summary: 'List the targets, or go over to one',
    args: [{ name: 'name', help: 'the one that the next commands are for', kind: 'target', optional: true }],
    examples: [
      ['target', 'List them; the current one has a star'],
      ['target prod', 'Go over to one'],
      ['keys list --target prod', 'Use one for one command'],
    ],
    local: true,
    async run({ targets }, { name }) {
      if (name !== undefined) {
        const chosen = targets.read(name)
        targets.use(name)
        return done(`Account ${chosen.accountId} at ${chosen.url}, as ${chosen.userName}.`, shape(chosen, name), name)
      }
      const current = targets.current()
      const rows = targets.names().map((one) => shape(targets.read(one), current))
      return listed({
        body: { targets: rows },
        rows,
        id: (row) => row.target,
        none: 'Nobody is signed in yet. Begin with: keyward login',
        columns: [
          { title: '', cell: (row) => (row.current ? '*' : '') },
          { title: 'TARGET', cell: (row) => row.target, shrinks: true },
          { title: 'ACCOUNT', cell: (row) => row.account_id },
          { title: 'NAME', cell: (row) => row.name, shrinks: true },
          { title: 'SERVER', cell: (row) => row.url, shrinks: true },
        ],
      })
    },
  }),
  command({
    name: 'whoami',
    summary: 'Who is signed in, asked of the server',
    async run(cli) {
      const session = await cli.session()
      // Open to everybody who is known: what is answered is that the server takes this key now.
      const { regions } = await session.call('vpc', 'listRegions', {})
      const { url, accountId, iamId, userName, target } = session
      const region = regions[0]?.name
      return {
        body: { target, url, region, account_id: accountId, iam_id: iamId, name: userName },
        ids: [accountId],
        text: (paper) =>
          details(paper, [
            ['account', accountId],
            ['name', userName],
            ['identity', iamId],
            ['server', url],
            ['region', region],
            ['target', target ?? 'none: the key is of the environment'],
          ]),
      }
    },
  }),
]
