// Asking whoever sits at the terminal. Where nobody does, nothing is assumed.

import { Writable } from 'node:stream'
import { createInterface } from 'node:readline/promises'
import { buffer } from 'node:stream/consumers'
import { Failure } from './failure.ts'

/** More than any secret or key material has; a terminal left open into a file ends here. */
const inputBytesMax = 1 << 20

export interface Asker {
  /** Both ends are a terminal: somebody can answer. */
  readonly canAsk: boolean
  /** Throws unless the answer is yes. */
  confirm(question: string): Promise<void>
  /** Throws unless the answer is this very text: for what cannot be taken back. */
  confirmByName(question: string, name: string): Promise<void>
  /** A line that is not shown while it is typed. */
  secret(prompt: string): Promise<string>
  /** All of standard input. */
  input(): Promise<string>
  inputBytes(): Promise<Buffer>
}

export function asker(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Asker {
  const canAsk = input.isTTY === true && output.isTTY === true

  async function line(prompt: string, echo: boolean): Promise<string> {
    output.write(prompt)
    const shown = echo ? output : new Writable({ write: (_, __, written) => written() })
    const terminal = createInterface({ input, output: shown, terminal: true })
    try {
      return await new Promise<string>((resolve, reject) => {
        terminal.on('SIGINT', () => reject(new Failure('interrupted', 'interrupted; nothing was done')))
        terminal.on('close', () => reject(new Failure('usage', 'there was no answer; nothing was done')))
        terminal.on('line', resolve)
      })
    } finally {
      terminal.close()
      if (!echo) output.write('\n')
    }
  }

  function needsSomebody(): void {
    if (canAsk) return
    throw new Failure('usage', 'this asks first, and nobody is at a terminal', { next: 'say --yes to do it unasked' })
  }

  async function inputBytes(): Promise<Buffer> {
    const all = await buffer(input)
    if (all.length > inputBytesMax) throw new Failure('usage', 'standard input is too long')
    return all
  }

  const declined = (): Failure => new Failure('failed', 'nothing was done')
  return {
    canAsk,
    async confirm(question) {
      needsSomebody()
      if (!/^y(es)?$/i.test((await line(`${question} [y/N] `, true)).trim())) throw declined()
    },
    async confirmByName(question, name) {
      needsSomebody()
      if ((await line(`${question}\nType ${name} to go on: `, true)).trim() !== name) throw declined()
    },
    secret: (prompt) => line(prompt, false),
    input: async () => (await inputBytes()).toString('utf8'),
    inputBytes,
  }
}
