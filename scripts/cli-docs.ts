// Writes docs/cli.md from the commands themselves. `npm run docs:cli`; a test compares what is committed with what they say.

import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { globalOptions } from '#cli/program.ts'
import { commands } from '#cli/commands.ts'
import { optionName } from '#cli/command.ts'
import type { Argument, Command, Option } from '#cli/command.ts'
import { exitCodes } from '#cli/failure.ts'
import { headingOf, nouns } from '#cli/nouns.ts'

export const cliPage = resolve(import.meta.dirname, '../docs/cli.md')

const introduction = `# The command line

\`keyward\` is a client of the public APIs with no privilege of its own: what it does, curl can do. This page is made from its commands by
\`npm run docs:cli\`.

\`\`\`sh
keyward login mine                          # asks for the API key, and keeps it for you alone
keyward keys create payroll
keyward authorizations allow ACCOUNT payroll   # that account may use this key, and nothing else

keyward login theirs                        # the other account
keyward volumes create data --capacity 100 --key crn:v1:... --wait
keyward attach data && keyward connect data
\`\`\`

**Names.** A thing is named by its name, its id or its CRN; a key also by an alias. Where a name is not clear, the command says which ids it could be.

**Output.** Tables for people, 80 columns wide where there is no terminal; colours only on a terminal, and never with \`NO_COLOR\`. \`--json\`
prints the API's own body (\`openapi/\`), a list whole; where the API answers without a body, nothing. \`--quiet\` prints ids, one a line. Sentences beside
the outcome and errors go to standard error; with \`--json\` an error is one line \`{"error": {"code", "message", "next", ...}}\`.

**Targets.** A target is a server and an account on it, kept in \`$XDG_CONFIG_HOME/keyward\` (\`~/.config/keyward\`) with its API key, for your eyes
alone. \`KEYWARD_API_KEY\` and \`KEYWARD_URL\` do without one, and write nothing; \`KEYWARD_TARGET\` names one as \`--target\` does.

**Questions.** What stops or destroys something says first what it would mean, and asks. Without a terminal it is refused unless \`--yes\` was said.
`

export function cliDocs(): string {
  const shown = commands.filter(({ hidden }) => !hidden)
  const headings = [...new Set(shown.map(({ name }) => headingOf(name.split(' ', 1)[0] ?? '')))]
  return [
    introduction,
    `## Exit codes\n\n| | |\n|---|---|\n${Object.values(exitCodes)
      .map(([number, meaning]) => `| ${number} | ${meaning} |`)
      .join('\n')}\n`,
    `## For every command\n\n${optionTable(Object.entries(globalOptions))}\n`,
    ...headings.flatMap((heading) => [
      `## ${heading.replace(/:$/, '')}\n`,
      ...shown.filter(({ name }) => headingOf(name.split(' ', 1)[0] ?? '') === heading).map(section),
    ]),
  ].join('\n')
}

function section(command: Command, index: number, all: readonly Command[]): string {
  const [noun = ''] = command.name.split(' ')
  const isFirst = all.findIndex(({ name }) => name.split(' ', 1)[0] === noun) === index
  const lead = isFirst && command.name !== noun ? `**${noun}**: ${nouns[noun]?.summary ?? ''}\n\n` : ''
  const words = (command.args ?? []).map(argumentWord).join(' ')
  const usage = ['keyward', command.name, words, command.options ? '[options]' : ''].filter(Boolean).join(' ')
  const args = (command.args ?? []).map((one) => `| \`${argumentWord(one)}\` | ${one.help}${choicesOf(one)} |`)
  const options = Object.entries(command.options ?? {})
  return [
    `${lead}### ${command.name}\n`,
    `\`${usage}\`\n`,
    `${command.summary}.${command.description ? ` ${command.description}` : ''}\n`,
    ...(args.length + options.length === 0 ? [] : [`${table([...args, ...options.map(optionRow)])}\n`]),
    ...(command.examples
      ? [`\`\`\`sh\n${command.examples.map(([line, what]) => `keyward ${line}   # ${what}`).join('\n')}\n\`\`\`\n`]
      : []),
  ].join('\n')
}

const argumentWord = ({ name, optional, rest }: Argument): string => {
  const word = `${name.toUpperCase()}${rest ? '...' : ''}`
  return optional || rest ? `[${word}]` : word
}

const choicesOf = (one: { readonly choices?: readonly string[] }): string =>
  one.choices ? `: ${one.choices.map((choice) => `\`${choice}\``).join(', ')}` : ''

function optionRow([name, option]: readonly [string, Option]): string {
  const value = option.type === 'flag' ? '' : ` ${option.value}`
  const short = option.short ? `-${option.short}, ` : ''
  const choices = option.type === 'text' ? choicesOf(option) : ''
  const required = option.type !== 'flag' && option.required ? ' (required)' : ''
  return `| \`${short}${optionName(name)}${value}\` | ${option.help}${choices}${required} |`
}

const optionTable = (options: readonly (readonly [string, Option])[]): string => table(options.map(optionRow))

const table = (rows: readonly string[]): string => ['| | |', '|---|---|', ...rows].join('\n')

if (import.meta.main) writeFileSync(cliPage, cliDocs())
