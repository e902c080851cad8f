// What may come next on a command line, from the commands as data. Pure: what only a server knows is named by its kind.

import { optionName } from './command.ts'
import type { Command, Kind, Option } from './command.ts'
import { globalOptions } from './program.ts'
import { nouns } from './nouns.ts'

export interface Candidates {
  readonly words: readonly Candidate[]
  /** What else fits here, to be looked up. */
  readonly kind: Kind | null
}

export interface Candidate {
  readonly word: string
  readonly help: string
}

const nothing: Candidates = { words: [], kind: null }

/** `before` is what has been typed after `keyward`; `word` is what is being typed, and may be empty. */
export function complete(commands: readonly Command[], before: readonly string[], word: string): Candidates {
  const shown = commands.filter(({ hidden }) => !hidden)
  const { command, positional, pending } = walk(shown, before)
  if (pending === 'done') return nothing
  if (pending) return ofValue(pending)
  if (word.startsWith('-')) return { words: optionsOf(command), kind: null }
  if (command) {
    const args = command.args ?? []
    const argument = args[Math.min(positional.length, args.length - 1)]
    if (!argument || (positional.length >= args.length && !argument.rest)) return nothing
    return { words: (argument.choices ?? []).map((one) => ({ word: one, help: '' })), kind: argument.kind ?? null }
  }
  return { words: nextWords(shown, positional), kind: null }
}

interface Walked {
  readonly command: Command | undefined
  /** The words that are no options; of a command, its arguments. */
  readonly positional: readonly string[]
  /** The option whose value comes next; `done` behind a `--`. */
  readonly pending: Option | 'done' | null
}

function walk(commands: readonly Command[], before: readonly string[]): Walked {
  const words: string[] = []
  let pending: Option | null = null
  for (const word of before) {
    if (word === '--') return { command: undefined, positional: [], pending: 'done' }
    if (pending) pending = null
    else if (!word.startsWith('-')) words.push(word)
    else if (!word.includes('=')) {
      const option = optionCalled(commandOf(commands, words)?.command, word)
      pending = option && option.type !== 'flag' ? option : null
    }
  }
  const found = commandOf(commands, words)
  return { command: found?.command, positional: found?.rest ?? words, pending }
}

function commandOf(commands: readonly Command[], words: readonly string[]) {
  const [first = '', second] = words
  const noun = Object.entries(nouns).find(([name, { alias }]) => name === first || alias === first)?.[0] ?? first
  const alone = commands.find(({ name }) => name === noun)
  if (alone) return { command: alone, rest: words.slice(1) }
  const both = commands.find(({ name }) => name === `${noun} ${second}`)
  return both && { command: both, rest: words.slice(2) }
}

const takenBy = (command: Command | undefined): readonly (readonly [string, Option])[] => [
  ...Object.entries(command?.options ?? {}),
  ...Object.entries(globalOptions).filter(([name]) => name !== 'target' || !command?.local),
]

const optionCalled = (command: Command | undefined, word: string): Option | undefined =>
  takenBy(command).find(([name, { short }]) => word === optionName(name) || word === `-${short}`)?.[1]

const optionsOf = (command: Command | undefined): Candidate[] => [
  ...takenBy(command).map(([name, { help }]) => ({ word: optionName(name), help })),
  { word: '--help', help: 'what it takes' },
]

const ofValue = (option: Option): Candidates =>
  option.type === 'text'
    ? { words: (option.choices ?? []).map((word) => ({ word, help: '' })), kind: option.kind ?? null }
    : nothing

function nextWords(commands: readonly Command[], words: readonly string[]): Candidate[] {
  if (words.length > 1) return []
  const [first] = words
  if (first !== undefined) {
    const noun = Object.entries(nouns).find(([name, { alias }]) => name === first || alias === first)?.[0] ?? first
    return commands
      .filter(({ name }) => name.startsWith(`${noun} `))
      .map(({ name, summary }) => ({ word: name.slice(noun.length + 1), help: summary }))
  }
  const seen = new Map<string, string>()
  for (const { name, summary } of commands) {
    const [noun = '', verb] = name.split(' ')
    if (!seen.has(noun)) seen.set(noun, verb === undefined ? summary : (nouns[noun]?.summary ?? summary))
  }
  return [...seen].map(([word, help]) => ({ word, help }))
}
