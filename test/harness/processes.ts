// The processes of a server, by what the system says of them: for tests that stop or end one of them.

import { readdirSync, readFileSync } from 'node:fs'

/** Process ids of the disk processes below the given one. */
export function diskProcesses(root: number): readonly number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const stat = readIfThere(`/proc/${name}/stat`)
    // pid (name) state ppid: the name may hold anything, parentheses too.
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (parent !== undefined) parents.set(Number(name), Number(parent))
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid)
    return parent !== undefined && (parent === root || isBelow(parent))
  }
  return [...parents.keys()].filter(
    (pid) => isBelow(pid) && readIfThere(`/proc/${pid}/cmdline`).includes('disk/process.ts'),
  )
}

function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
