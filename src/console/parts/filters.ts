// Filters live in the URL. Changing one begins at the first page again.

import { useSearchParams } from 'react-router'

export function useFilters<Name extends string>(names: readonly Name[]) {
  const [search, setSearch] = useSearchParams()
  const values: Partial<Record<Name | 'start', string>> = {}
  for (const name of names) {
    const value = search.get(name)
    if (value) values[name] = value
  }
  return {
    values,
    any: names.some((name) => name !== 'start' && search.has(name)),
    set: (changes: Partial<Record<Name | 'start', string>>): void =>
      setSearch((before) => {
        const after = new URLSearchParams(before)
        if (!('start' in changes)) after.delete('start')
        for (const [name, value] of Object.entries(changes)) {
          if (value) after.set(name, String(value))
          else after.delete(name)
        }
        return after
      }),
    clear: (): void => setSearch({}),
  }
}
