// Completion: the shells' scripts are a few lines each and ask the program itself, which knows its commands and, signed in,
// the names of things.

import { command } from './command.ts'
import type { Command, Kind } from './command.ts'
import { complete } from './complete.ts'
import type { Candidate } from './complete.ts'
import type { Cli } from './context.ts'
import { keyManagers } from './find-key.ts'
import type { Session } from './session.ts'
import { inInstance } from '#client/key-manager.ts'
import { printable } from './shown.ts'

/** Beyond this somebody at a prompt has typed the name already. */
const lookupMs = 2000
const namesMost = 100

const scripts = {
  bash: `# keyward completion for bash: source <(keyward completion bash)
_keyward() {
  local line word=\${COMP_WORDS[COMP_CWORD]}
  COMPREPLY=()
  while IFS=$'\\t' read -r line _; do
    if [[ $line == :files ]]; then compopt -o default; return; fi
    [[ $line == "$word"* ]] && COMPREPLY+=("$line")
  done < <(keyward __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _keyward keyward
`,
  zsh: `#compdef keyward
# keyward completion for zsh: keyward completion zsh > "\${fpath[1]}/_keyward"
_keyward() {
  local line word help
  local -a found
  while IFS= read -r line; do
    if [[ $line == :files ]]; then _files; return; fi
    word=\${line%%$'\\t'*}
    help=\${line#*$'\\t'}
    found+=("\${word//:/\\\\:}:$help")
  done < <(keyward __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  _describe keyward found
}
if [[ $funcstack[1] == _keyward ]]; then _keyward; else compdef _keyward keyward; fi
`,
  fish: `# keyward completion for fish: keyward completion fish > ~/.config/fish/completions/keyward.fish
function __keyward_complete
    set -l words (commandline -opc) (commandline -ct)
    for line in (keyward __complete -- $words[2..-1] 2>/dev/null)
        if test "$line" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c keyward -f -a '(__keyward_complete)'
`,
} as const

/** `commands` are all there are, these two among them. */
export const completionCommands = (commands: () => readonly Command[]) => [
  command({
    name: 'completion',
    summary: 'Print the script that completes commands, options and names in a shell',
    args: [{ name: 'shell', help: 'which', choices: ['bash', 'zsh', 'fish'] }],
    examples: [
      ['completion bash > ~/.local/share/bash-completion/completions/keyward', 'For bash'],
      ['completion zsh > "${fpath[1]}/_keyward"', 'For zsh'],
      ['completion fish > ~/.config/fish/completions/keyward.fish', 'For fish'],
    ],
    local: true,
    async run(_, { shell }) {
      return { text: () => scripts[shell].trimEnd() }
    },
  }),
  command({
    name: '__complete',
    summary: 'What may come next, for the scripts of `completion`',
    args: [{ name: 'words', help: 'what is typed, the last being typed still', rest: true }],
    hidden: true,
    local: true,
    async run(cli, { words }) {
      const word = words.at(-1) ?? ''
      const { words: fitting, kind } = complete(commands(), words.slice(0, -1), word)
      const looked = kind === null || kind === 'file' ? [] : await lookUp(cli, kind)
      const lines = [...fitting, ...looked]
        .filter((one) => one.word.startsWith(word))
        .map((one) => `${one.word}\t${printable(one.help)}`)
      return { text: () => [...lines, ...(kind === 'file' ? [':files'] : [])].join('\n') }
    },
  }),
]

/** Nobody at a prompt wants to read why a name was not found. */
async function lookUp(cli: Cli, kind: Exclude<Kind, 'file'>): Promise<readonly Candidate[]> {
  const late = new Promise<readonly Candidate[]>((resolve) => cli.clock.after(lookupMs, () => resolve([])))
  return await Promise.race([names(cli, kind).catch(() => []), late])
}

async function names(cli: Cli, kind: Exclude<Kind, 'file'>): Promise<readonly Candidate[]> {
  if (kind === 'target' || kind === 'account') return cli.targets.names().map((word) => ({ word, help: 'target' }))
  const session = await cli.session()
  return await known[kind](session)
}

type Named = { readonly name: string; readonly status?: string; readonly lifecycle_state?: string }

const named = (things: readonly Named[]): Candidate[] =>
  things.map(({ name, status, lifecycle_state: state }) => ({ word: name, help: status ?? state ?? '' }))

const page = { query: { limit: namesMost } } as const

const known: Readonly<
  Record<Exclude<Kind, 'file' | 'target' | 'account'>, (session: Session) => Promise<readonly Candidate[]>>
> = {
  volume: async (session) => named((await session.call('vpc', 'listVolumes', page)).volumes),
  instance: async (session) => named((await session.call('vpc', 'listInstances', page)).instances),
  snapshot: async (session) => named((await session.call('vpc', 'listSnapshots', page)).snapshots),
  image: async (session) => named((await session.call('vpc', 'listImages', page)).images),
  'key-manager': async (session) => named((await keyManagers(session)).map(({ name }) => ({ name }))),
  async key(session) {
    const found: Candidate[] = []
    for (const { guid, name: manager } of await keyManagers(session)) {
      const given = { headers: inInstance(guid), ...page }
      const { resources } = await session.call('kms', 'listKeys', given)
      found.push(...resources.map(({ name, id }) => ({ word: name ?? id, help: manager })))
    }
    return found
  },
  async policy(session) {
    const { policies } = await session.call('iam', 'listPolicies', {
      query: { account_id: session.accountId, type: 'authorization', limit: namesMost },
    })
    return policies.map(({ id, description = '' }) => ({ word: id, help: description }))
  },
  async notice(session) {
    const { notices } = await session.call('transparency', 'listNotices', { query: { limit: 20 } })
    return notices.map(({ id, type }) => ({ word: id, help: type }))
  },
}
