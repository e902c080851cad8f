// `verify FILE` as a command; what it proves, and how, is in verify.ts.

import { command, text } from './command.ts'
import { verifyFile } from './verify.ts'

export const verifyCommand = command({
  name: 'verify',
  summary: 'Whether a file proves what it says; needs no server, and asks none',
  description:
    'The file is an answer of the server, byte for byte as it came: the proof of an audit record (`keyward audit prove`), or the certificate of a destroyed key, or a part of it. Exit code 1 where it is not proved.',
  args: [{ name: 'file', help: 'the proof', kind: 'file' }],
  options: {
    key: text('VERIFIER', 'whose signature is trusted, as noted down earlier; else the one that the file names'),
  },
  local: true,
  async run(_, given) {
    const proved = verifyFile(given.file, given.key).trimEnd()
    return { body: { proved: true, file: given.file, text: proved }, text: () => proved }
  },
})
