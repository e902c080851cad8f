// For whoever runs the server here, and has its data folder.

import { accountText, createAccount } from './account.ts'
import { readBootstrap } from './bootstrap-file.ts'
import { command, text } from './command.ts'
import type { Cli } from './context.ts'

const data = text('FOLDER', "the server's data folder; KEYWARD_DATA, or ./keyward-data", { kind: 'file' })

export const folderOf = (cli: Cli, given: string | undefined): string =>
  given ?? cli.environment['KEYWARD_DATA'] ?? './keyward-data'

export const operatorCommands = [
  command({
    name: 'account create',
    summary: "Make an account, whose owner's API key is shown once",
    args: [{ name: 'name', help: 'what to call it' }],
    options: { data },
    local: true,
    async run(cli, given) {
      const folder = folderOf(cli, given.data)
      const account = await createAccount(given.name, readBootstrap(folder), folder)
      return { body: account, ids: [account.id], text: () => accountText(account).trimEnd() }
    },
  }),
  command({
    name: 'tour',
    summary: 'Play the whole story against the running server: two accounts, one key, one volume',
    options: { data },
    local: true,
    async run(cli, given) {
      const { makeTeller } = await import('./teller.ts')
      const { tour } = await import('./tour.ts')
      const folder = folderOf(cli, given.data)
      await tour(
        makeTeller((text) => cli.show({ text: () => text.replace(/\n$/, '') })),
        readBootstrap(folder),
        folder,
      )
      return undefined
    },
  }),
]
