// How the console is built: Vite, with the operations of the contracts as a module of their own, so that the browser gets
// methods and paths and not the schemas. What a first visit loads has a ceiling, and a build above it fails.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { extname, join, relative } from 'node:path'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { build } from 'vite'
import type { Plugin, Rolldown } from 'vite'
import type { Contract } from '#base/contract.ts'
import { auditContract } from '#audit/contract.ts'
import { auditLogContract } from '#audit/contract-log.ts'
import { explainContract } from '#iam/contract-access.ts'
import { identityContract } from '#iam/contract-identity.ts'
import { tokenContract } from '#iam/contract-tokens.ts'
import { policyContract } from '#iam/contract.ts'
import { kmsContract, ownContract } from '#kms/contract.ts'
import { ledgerContract } from '#ledger/contract.ts'
import { resourcesContract } from '#resources/contract.ts'
import { vpcContract, vpcOwnContract } from '#vpc/contract.ts'

/** Script that the first page needs, compressed. Beyond this a slow line makes people wait longer than a second or two. */
const firstLoadBytesMax = 400 * 1024

/** The same names as in src/client/operations.ts, which has their types. */
const contracts: Readonly<Record<string, Contract>> = {
  iam: { ...tokenContract, ...identityContract, ...policyContract },
  kms: kmsContract,
  vpc: vpcContract,
  resources: resourcesContract,
  keyward: { ...vpcOwnContract, ...auditContract, ...auditLogContract, ...explainContract, ...ownContract },
  transparency: ledgerContract,
}

/** Builds into the folder; gives the modules that it was made of, as paths from the root. */
export async function buildConsole(root: string, folder: string): Promise<readonly string[]> {
  const modules = new Set<string>()
  const base = join(root, 'src/console')
  await build({
    configFile: false,
    root: base,
    base: '/console/',
    publicDir: false,
    logLevel: 'error',
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: 'es2023',
      // Nothing inline: the content security policy allows no data URLs.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
      chunkSizeWarningLimit: 1500,
    },
    css: { preprocessorOptions: { scss: { quietDeps: true, loadPaths: [join(root, 'node_modules')] } } },
    plugins: [operationsModule(), watchModules(root, modules), firstLoadCeiling()],
  })
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) compress(join(folder, name))
  return [...modules]
}

function operationsModule(): Plugin {
  const name = 'virtual:operations'
  const data = Object.fromEntries(
    Object.entries(contracts).map(([service, contract]) => [
      service,
      Object.fromEntries(Object.entries(contract).map(([id, { method, path }]) => [id, [method, path]])),
    ]),
  )
  return {
    name: 'operations',
    resolveId: (id) => (id === name ? `\0${name}` : null),
    load: (id) =>
      id === `\0${name}` ? `export const operations = JSON.parse(${JSON.stringify(JSON.stringify(data))})` : null,
  }
}

const watchModules = (root: string, modules: Set<string>): Plugin => ({
  name: 'modules',
  generateBundle() {
    for (const id of this.getModuleIds()) {
      const path = relative(root, id.split('?', 1)[0] ?? '')
      if (!id.startsWith('\0') && !path.startsWith('..') && !path.includes('node_modules')) modules.add(path)
    }
  },
})

/** The entry and everything that it imports before it runs. */
const firstLoadCeiling = (): Plugin => ({
  name: 'first-load',
  generateBundle(_options, bundle) {
    const chunks = Object.values(bundle).filter((one): one is Rolldown.OutputChunk => one.type === 'chunk')
    const needed = new Set<string>()
    const need = (name: string): void => {
      const chunk = chunks.find((one) => one.fileName === name)
      if (!chunk || needed.has(name)) return
      needed.add(name)
      chunk.imports.forEach(need)
    }
    for (const chunk of chunks) if (chunk.isEntry) need(chunk.fileName)
    const bytes = chunks
      .filter((one) => needed.has(one.fileName))
      .reduce((sum, one) => sum + gzipSync(one.code).length, 0)
    const sizes = `${Math.ceil(bytes / 1024)} KiB of ${firstLoadBytesMax / 1024} KiB`
    if (bytes > firstLoadBytesMax) throw new Error(`the console's first load is ${sizes} of script, compressed`)
    process.stderr.write(`keyward: the console's first load is ${sizes} of script, compressed\n`)
  },
})

function compress(path: string): void {
  if (!['.css', '.html', '.js', '.svg'].includes(extname(path))) return
  const bytes = readFileSync(path)
  writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }))
  writeFileSync(`${path}.br`, brotliCompressSync(bytes))
}
