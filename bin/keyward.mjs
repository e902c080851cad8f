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
// Settings, and what works on the data folder itself, are the server's; everything else is a client of the API.
const [first = ''] = process.argv.slice(2)
const isClientOption = /^(--(target|json|quiet|version)(=|$)|-[qV])/.test(first)
const isServer =
  first === '' ||
  (first.startsWith('-') && !isClientOption) ||
  ['backup', 'restore', 'database', 'master-key'].includes(first)
await import(isServer ? '../src/main.ts' : '../src/cli/main.ts')
