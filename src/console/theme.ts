// Light or dark: what the system prefers, until somebody says otherwise.

import { useSyncExternalStore } from 'react'

export type Theme = 'light' | 'dark'

const storageName = 'keyward.theme'
const system = matchMedia('(prefers-color-scheme: dark)')
const listeners = new Set<() => void>()

const chosen = (): Theme | null => {
  const value = localStorage.getItem(storageName)
  return value === 'light' || value === 'dark' ? value : null
}

const current = (): Theme => chosen() ?? (system.matches ? 'dark' : 'light')

function apply(): void {
  document.documentElement.className = `k-${current()}`
  for (const listener of listeners) listener()
}

export function startTheme(): void {
  system.addEventListener('change', apply)
  apply()
}

export function setTheme(theme: Theme): void {
  localStorage.setItem(storageName, theme)
  apply()
}

export const useTheme = (): Theme =>
  useSyncExternalStore((listener) => {
    listeners.add(listener)
    return () => listeners.delete(listener)
  }, current)
