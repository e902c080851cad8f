// A command as data: the parser, the help, docs/cli.md and the completion are all made of this. What a command does is
// `run`; how its outcome is printed is not its business.

import type { Cli } from './context.ts'
import type { Shown } from './shown.ts'

/** What stands at a place of the command line, for completion. */
export type Kind =
  | 'account'
  | 'file'
  | 'image'
  | 'instance'
  | 'key'
  | 'key-manager'
  | 'notice'
  | 'policy'
  | 'snapshot'
  | 'target'
  | 'volume'

export interface Argument {
  readonly name: string
  readonly help: string
  readonly kind?: Kind
  readonly choices?: readonly string[]
  readonly optional?: true
  /** All that is left; the last argument only. */
  readonly rest?: true
}

interface Described {
  readonly help: string
  readonly short?: string
}

export interface Flag extends Described {
  readonly type: 'flag'
}

export interface Text extends Described {
  readonly type: 'text'
  /** How its value is called in the help: `NAME`. */
  readonly value: string
  readonly kind?: Kind
  readonly choices?: readonly string[]
  readonly required?: true
}

export interface Whole extends Described {
  readonly type: 'whole'
  readonly value: string
  readonly min: number
  readonly max: number
  readonly required?: true
}

export type Option = Flag | Text | Whole

/** By the name that the code uses: `dryRun` is `--dry-run`. */
export type Options = Readonly<Record<string, Option>>

type Value<O extends Option> = O extends Flag
  ? boolean
  : Optional<O, O extends Whole ? number : O extends { readonly choices: readonly (infer C)[] } ? C : string>

type Optional<O, V> = O extends { readonly required: true } ? V : V | undefined

type ArgumentValue<A extends Argument> = A extends { readonly rest: true }
  ? readonly string[]
  : A extends { readonly optional: true }
    ? (A extends { readonly choices: readonly (infer C)[] } ? C : string) | undefined
    : A extends { readonly choices: readonly (infer C)[] }
      ? C
      : string

export type GivenOf<A extends readonly Argument[], O extends Options> = {
  readonly [One in A[number] as One['name']]: ArgumentValue<One>
} & { readonly [Name in keyof O]: Value<O[Name]> }

export interface Spec<A extends readonly Argument[], O extends Options> {
  /** The words after `keyward`: one, or a noun and a verb. */
  readonly name: string
  /** One line, for lists. */
  readonly summary: string
  /** More, for whoever asks. */
  readonly description?: string
  readonly args?: A
  readonly options?: O
  /** What follows `keyward`, and what it does. */
  readonly examples?: readonly (readonly [string, string])[]
  /** Not in any list: for programs. */
  readonly hidden?: true
  /** Does not speak to a server, or not as a target: it takes no `--target`. */
  readonly local?: true
  run(cli: Cli, given: GivenOf<A, O>): Promise<Shown | undefined>
}

/** Any of them: what `run` is given was made from the same arguments and options. */
export interface Command extends Omit<Spec<readonly Argument[], Options>, 'run'> {
  run(cli: Cli, given: Readonly<Record<string, unknown>>): Promise<Shown | undefined>
}

/** For the types: what `run` is given follows from arguments and options. */
export const command = <
  const A extends readonly Argument[] = readonly [],
  const O extends Options = Readonly<Record<never, never>>,
>(
  spec: Spec<A, O>,
): Command => spec as unknown as Command

export const flag = <const D extends Omit<Flag, 'type' | 'help'>>(help: string, more?: D) =>
  ({ type: 'flag', help, ...more }) as { readonly type: 'flag'; readonly help: string } & D

export const text = <const D extends Omit<Text, 'type' | 'help' | 'value'>>(value: string, help: string, more?: D) =>
  ({ type: 'text', value, help, ...more }) as {
    readonly type: 'text'
    readonly value: string
    readonly help: string
  } & D

export const whole = <const D extends Omit<Whole, 'type' | 'help' | 'value'>>(value: string, help: string, more: D) =>
  ({ type: 'whole', value, help, ...more }) as {
    readonly type: 'whole'
    readonly value: string
    readonly help: string
  } & D

export const optionName = (name: string): string => `--${name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`

/** What many commands take, in the same words. */
export const yes = flag('do not ask', { short: 'y' })
export const limit = whole('N', 'at most so many', { min: 1, max: 1_000_000 })
export const keyManagerOption = text('KEY-MANAGER', 'the key manager, by name or id, where a key name is in several', {
  kind: 'key-manager',
})
