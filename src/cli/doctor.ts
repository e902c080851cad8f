// `doctor`: whether everything is there that the server and its clients need, and what to do where it is not.

import { command, text } from './command.ts'
import { checkClients, checkKernel, checkNative, checkNode } from './doctor-machine.ts'
import type { Finding } from './doctor-finding.ts'
import { checkFolder } from './doctor-folder.ts'
import { checkServer, checkTargets } from './doctor-server.ts'
import { folderOf } from './operator.ts'
import { tint } from './shown.ts'
import type { Tint } from './shown.ts'

const marks = { fine: ['ok', 'good'], missing: ['--', 'busy'], wrong: ['!!', 'bad'] } as const satisfies Readonly<
  Record<Finding['state'], readonly [string, Tint]>
>

export const doctorCommand = command({
  name: 'doctor',
  summary: 'Check this installation, and say what to fix; exit code 1 where something is wrong',
  description:
    'Node and its native parts, NBD clients, the kernel, the data folder of a server here, the server of the target. What is marked -- is missing and not needed by everybody.',
  options: {
    data: text('FOLDER', 'the data folder of a server here; KEYWARD_DATA, or ./keyward-data', { kind: 'file' }),
    url: text('URL', 'the server; as the target has it, or where a server without settings is'),
  },
  local: true,
  async run(cli, given) {
    const findings = [
      ...checkNode(),
      ...checkNative(),
      ...checkClients(cli),
      ...checkKernel(),
      ...(await checkFolder(folderOf(cli, given.data), given.data !== undefined)),
      ...checkTargets(cli),
      ...(await checkServer(cli, given.url)),
    ]
    const wrongs = findings.filter(({ state }) => state === 'wrong')
    const width = Math.max(...findings.map(({ what }) => what.length))
    return {
      body: { ok: wrongs.length === 0, findings },
      ids: wrongs.map(({ what }) => what),
      exitCode: wrongs.length === 0 ? 0 : 1,
      text: (paper) =>
        [
          ...findings.map(({ what, state, text, fix }) => {
            const [mark, as] = marks[state]
            const indent = ' '.repeat(width + 6)
            return `${tint(paper, as, mark)}  ${what.padEnd(width)}  ${text}${fix === undefined ? '' : `\n${indent}fix: ${fix}`}`
          }),
          '',
          wrongs.length === 0 ? 'Nothing is wrong.' : `Wrong: ${wrongs.map(({ what }) => what).join(', ')}.`,
        ].join('\n'),
    }
  },
})
