#!/usr/bin/env node
// The door to the program. Plain JavaScript, so that a Node too old for the rest can say so in one sentence.

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (major < 26 || (major === 26 && minor < 9)) {
  process.stderr.write(
    `keyward: needs Node 26.9 or later, this is ${process.versions.node}. ` +
      'On Linux `npm ci` installs it and `npm start` uses it; elsewhere bring your own.\n',
  )
  process.exit(1)
}
const { enableCompileCache } = await import('node:module')
// Beside the packages, where it goes when they go: starts are twice as fast from the second one on.
enableCompileCache(new URL('../node_modules/.cache/compile', import.meta.url).pathname)
// What is a client of the API, or needs no server at all, is a program of its own.
const isClient = ['tour', 'account', 'verify'].includes(process.argv[2] ?? '')
await import(isClient ? '../src/cli/main.ts' : '../src/main.ts')
