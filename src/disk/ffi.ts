// Calls of the system and of OpenSSL through node:ffi, where there is such a thing: Linux, and Node from 26.1 on.

export type Ffi = typeof import('node:ffi')

/** What `bind` makes of node:ffi; null where that, or a symbol that it asks for, is missing. */
export function throughFfi<Calls>(bind: (ffi: Ffi) => Calls): Calls | null {
  if (process.platform !== 'linux') return null
  // Not an import: that would fail to link before Node 26.1, where node:ffi is missing. This gives undefined there.
  const ffi: Ffi | undefined = process.getBuiltinModule('node:ffi')
  try {
    return ffi ? bind(ffi) : null
  } catch {
    return null
  }
}
