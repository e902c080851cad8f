// What is done to keys. What it means for whoever lies under one is told before, and asked.

import type { Impact } from '#client/impact.ts'
import { command, flag, keyManagerOption, yes } from './command.ts'
import type { Cli } from './context.ts'
import { at, findKey } from './find-key.ts'
import type { FoundKey } from './find-key.ts'
import { askFirst, foresee } from './foresee.ts'
import type { Session } from './session.ts'
import { done } from './shown.ts'
import type { Shown } from './shown.ts'

const args = [{ name: 'key', help: 'name, alias, id or CRN', kind: 'key' }] as const
const dryRun = flag('ask every rule, and do nothing')

interface Given {
  readonly key: string
  readonly keyManager: string | undefined
  readonly yes?: boolean
  readonly dryRun?: boolean
}

interface Act {
  readonly action?: Impact['action']
  readonly question?: (name: string) => string
  readonly byName?: true
  readonly run: (session: Session, key: FoundKey, query: { dry_run?: boolean }) => Promise<unknown>
  readonly done: (name: string) => string
}

async function act(cli: Cli, given: Given, { action, question, byName, run, done: said }: Act): Promise<Shown> {
  const session = await cli.session()
  const key = await findKey(session, given.key, given.keyManager)
  if (question && given.dryRun !== true) {
    await askFirst(cli, {
      yes: given.yes === true,
      question: question(key.name),
      ...(byName && { name: key.name }),
      impact: async () => (action ? [await foresee(session, key, { action, limit: 1 })] : []),
    })
  }
  const body = await run(session, key, given.dryRun ? { dry_run: true } : {})
  const sentence = given.dryRun ? 'It would be done: no rule stands against it. Nothing was.' : said(key.name)
  return done(sentence, body, key.id)
}

export const keyActionCommands = [
  command({
    name: 'keys rotate',
    summary: 'Give a root key new material; what lies under it is re-wrapped, and nobody notices',
    args,
    options: { keyManager: keyManagerOption, dryRun },
    run: (cli, given) =>
      act(cli, given, {
        run: (session, key, query) => session.call('kms', 'rotateKey', { ...at(key), query }),
        done: (name) => `Rotated ${name}. How far the re-wrapping is: keyward ledger uses ${name}`,
      }),
  }),
  command({
    name: 'keys disable',
    summary: 'Stop everything under a root key, at once, in every account',
    description:
      'What is open is cut before the command ends, unless the operator of the server lets it run until it is stopped. It goes on, with its data, when the key is enabled again.',
    args,
    options: { keyManager: keyManagerOption, dryRun, yes },
    run: (cli, given) =>
      act(cli, given, {
        action: 'disable',
        question: (name) => `Disable ${name}?`,
        run: (session, key, query) => session.call('kms', 'disableKey', { ...at(key), query }),
        done: (name) => `Disabled ${name}. Undo it after 30 seconds: keyward keys enable ${name}`,
      }),
  }),
  command({
    name: 'keys enable',
    summary: 'Let everything under a disabled key go on',
    args,
    options: { keyManager: keyManagerOption },
    run: (cli, given) =>
      act(cli, given, {
        run: (session, key) => session.call('kms', 'enableKey', at(key)),
        done: (name) => `Enabled ${name}.`,
      }),
  }),
  command({
    name: 'keys delete',
    summary: 'Delete a key, and end everything under it; it can be restored for 30 days',
    args,
    options: {
      keyManager: keyManagerOption,
      force: flag('although resources lie under it'),
      dryRun,
      yes,
    },
    run: (cli, given) =>
      act(cli, given, {
        action: 'delete',
        question: (name) => `Delete ${name}?`,
        byName: true,
        run: (session, key, query) =>
          session.call('kms', 'deleteKey', {
            ...at(key),
            query: { force: given.force, ...query },
            headers: { ...at(key).headers, ...(!given.dryRun && { prefer: 'return=representation' }) },
          }),
        done: (name) => `Deleted ${name}. Undo it within 30 days: keyward keys restore ${name}`,
      }),
  }),
  command({
    name: 'keys restore',
    summary: 'Take back the deletion of a key',
    args,
    options: { keyManager: keyManagerOption },
    run: (cli, given) =>
      act(cli, given, {
        run: (session, key) => session.call('kms', 'restoreKey', at(key)),
        done: (name) => `Restored ${name}.`,
      }),
  }),
  command({
    name: 'keys set-for-deletion',
    summary: 'Say the first of two words for the deletion of a key that needs two people',
    args,
    options: { keyManager: keyManagerOption, undo: flag('take the word back') },
    run: (cli, given) =>
      act(cli, given, {
        run: (session, key) =>
          given.undo
            ? session.call('kms', 'unsetKeyForDeletion', at(key))
            : session.call('kms', 'setKeyForDeletion', at(key)),
        done: (name) =>
          given.undo
            ? `${name} is not set for deletion any more.`
            : `Another person has seven days now for: keyward keys delete ${name}`,
      }),
  }),
  command({
    name: 'keys purge',
    summary: 'Destroy a deleted key for good: nothing that it has wrapped can ever be opened again',
    args,
    options: { keyManager: keyManagerOption, yes },
    run: (cli, given) =>
      act(cli, given, {
        question: (name) => `Purge ${name}? This cannot be taken back.`,
        byName: true,
        run: (session, key) =>
          session.call('kms', 'purgeKey', {
            ...at(key),
            headers: { ...at(key).headers, prefer: 'return=representation' },
          }),
        done: (name) => `Purged ${name}.`,
      }),
  }),
]
