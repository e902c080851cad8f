// Instances of the key manager: an account needs one before it has keys.

import { standardPlan } from '#client/key-manager.ts'
import { command } from './command.ts'
import { Failure } from './failure.ts'
import { keyManagers } from './find-key.ts'
import { done, listed } from './shown.ts'

export const keyManagerCommands = [
  command({
    name: 'key-managers list',
    summary: 'List the key managers of the account',
    async run(cli) {
      const session = await cli.session()
      const rows = await keyManagers(session)
      return listed({
        body: { rows_count: rows.length, next_url: null, resources: rows },
        rows,
        id: ({ guid }) => guid,
        none: 'There is no key manager yet. Make one: keyward key-managers create NAME',
        columns: [
          { title: 'NAME', cell: ({ name }) => name, shrinks: true },
          { title: 'ID', cell: ({ guid }) => guid },
          { title: 'STATE', cell: ({ state }) => state, tint: ({ state }) => (state === 'active' ? 'good' : 'busy') },
        ],
      })
    },
  }),
  command({
    name: 'key-managers create',
    summary: 'Make a key manager',
    args: [{ name: 'name', help: 'what to call it' }],
    async run(cli, { name }) {
      const session = await cli.session()
      const { accountId } = session
      const { regions } = await session.call('vpc', 'listRegions', {})
      const { resources: groups } = await session.call('resources', 'listResourceGroups', {
        query: { account_id: accountId, default: true },
      })
      const [region, group] = [regions[0]?.name, groups[0]?.id]
      if (!region || !group) throw new Failure('notFound', 'there is no resource group that you may use')
      const made = await session.call('resources', 'createResourceInstance', {
        body: { name, target: region, resource_group: group, resource_plan_id: standardPlan },
      })
      return done(`Made key manager ${name}, ${made.guid}. Next: keyward keys create NAME`, made, made.guid)
    },
  }),
]
