// From commands as data to the parser that understands them, and from its complaints to ours.

import { Argument, Command as Parser, CommanderError, InvalidArgumentError, Option as ParserOption } from 'commander'
import type { Cli, Globals } from './context.ts'
import { optionName } from './command.ts'
import type { Argument as Described, Command, Option } from './command.ts'
import { exitCodes } from './failure.ts'
import { headingOf, nouns } from './nouns.ts'
import type { Shown } from './shown.ts'

/** What runs a command once the globals are known; gives the exit code. */
export type Runner = (globals: Globals, run: (cli: Cli) => Promise<Shown | undefined>) => Promise<number>

const introduction = `Block storage whose keys may belong to someone else: the command line.

A client of the public APIs with no privilege of its own. Things are named by
name, id or CRN. Without a command, \`keyward\` starts the server; its settings,
backup and restore: \`keyward --help\`.`

export const globalOptions = {
  target: { type: 'text', value: 'NAME', help: 'as whom and where: one of `keyward target`', kind: 'target' },
  json: { type: 'flag', help: "the API's own body, for programs" },
  quiet: { type: 'flag', help: 'only ids, one a line, for shells', short: 'q' },
} as const satisfies Record<string, Option>

/** Parses, runs, and gives the exit code; what is wrong with the command line is on standard error already. */
export async function runProgram(
  commands: readonly Command[],
  args: readonly string[],
  version: string,
  runner: Runner,
): Promise<number> {
  let exitCode = 0
  const program = makeProgram(commands, version, async (globals, run) => (exitCode = await runner(globals, run)))
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    const isAnswer = error.exitCode === 0
    return isAnswer ? exitCodes.ok[0] : exitCodes.usage[0]
  }
}

export function makeProgram(commands: readonly Command[], version: string, runner: Runner): Parser {
  const program = configured(new Parser('keyward'))
    .description(introduction)
    .version(version)
    .helpCommand('help [command]', 'what it takes')
    .addHelpText('after', exitCodeHelp)
  for (const [name, option] of Object.entries(globalOptions)) program.addOption(parserOption(name, option))
  for (const command of commands) add(program, command, runner)
  return program
}

const exitCodeHelp = `\nExit codes:\n${Object.values(exitCodes)
  .map(([number, meaning]) => `  ${String(number).padEnd(5)}${meaning}`)
  .join('\n')}`

const configured = (parser: Parser): Parser =>
  parser
    .exitOverride()
    .showHelpAfterError('(--help says what it takes)')
    .helpOption('-h, --help', 'what it takes')
    .configureHelp({
      showGlobalOptions: true,
      subcommandTerm: (command) => [command.name(), ...command.registeredArguments.map(shownArgument)].join(' '),
    })
    .configureOutput({
      // What somebody has typed behind an option by mistake may be a secret, and errors are kept in logs.
      outputError: (text, write) => write(text.replace(/^error: /, 'keyward: ').replace(/='?[^'\n]*'/, "'")),
    })

const shownArgument = (argument: Argument): string =>
  argument.required ? `<${argument.name()}>` : `[${argument.name()}]`

function add(program: Parser, command: Command, runner: Runner): void {
  const [first = '', verb] = command.name.split(' ')
  const under = verb === undefined ? program : groupOf(program, first)
  const parser = configured(under.command(verb ?? first, { hidden: command.hidden === true }))
    .summary(command.summary)
    .description([`${command.summary}.`, ...(command.description ? [command.description] : [])].join('\n\n'))
  if (verb === undefined) parser.helpGroup(headingOf(first))
  for (const argument of command.args ?? []) parser.addArgument(parserArgument(argument))
  for (const [name, option] of Object.entries(command.options ?? {})) parser.addOption(parserOption(name, option))
  const examples = (command.examples ?? []).map(([line, what]) => `  # ${what}\n  $ keyward ${line}`)
  if (examples.length > 0) parser.addHelpText('after', `\nExamples:\n${examples.join('\n')}`)
  parser.action(async (...given: readonly unknown[]) => {
    const values = parser.opts<Record<string, unknown>>()
    const positional = (command.args ?? []).map(({ name }, at) => [name, given[at]] as const)
    const flags = Object.entries(command.options ?? {}).filter(([, { type }]) => type === 'flag')
    const globals = program.opts<{ target?: string; json?: boolean; quiet?: boolean }>()
    await runner({ target: globals.target, json: globals.json === true, quiet: globals.quiet === true }, (cli) =>
      command.run(cli, {
        ...Object.fromEntries(positional),
        ...Object.fromEntries(flags.map(([name]) => [name, false])),
        ...values,
      }),
    )
  })
}

function groupOf(program: Parser, name: string): Parser {
  const known = program.commands.find((one) => one.name() === name)
  if (known) return known
  const noun = nouns[name]
  const group = configured(program.command(name)).helpGroup(headingOf(name)).helpCommand(false)
  if (noun?.alias) group.alias(noun.alias)
  return group.summary(noun?.summary ?? name).description(`${noun?.summary ?? name}.`)
}

function parserArgument({ name, help, choices, optional, rest }: Described): Argument {
  const shown = `${name.replaceAll(/[A-Z]/g, (c) => `-${c}`).toUpperCase()}${rest ? '...' : ''}`
  const argument = new Argument(optional || rest ? `[${shown}]` : `<${shown}>`, help)
  return choices ? argument.choices([...choices]) : argument
}

function parserOption(name: string, option: Option): ParserOption {
  const long = optionName(name)
  const flags = `${option.short ? `-${option.short}, ` : ''}${long}${option.type === 'flag' ? '' : ` <${option.value}>`}`
  const parsed = new ParserOption(flags, option.help)
  if (option.type === 'text' && option.choices) parsed.choices([...option.choices])
  if (option.type === 'whole') parsed.argParser((text: string) => wholeOf(text, option))
  if (option.type !== 'flag' && option.required) parsed.makeOptionMandatory()
  return parsed
}

function wholeOf(text: string, { min, max }: { readonly min: number; readonly max: number }): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
  if (value >= min && value <= max) return value
  throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`)
}
