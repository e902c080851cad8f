// What an action on a key would stop, read from what the server foresees. Pure.

import { servingStandings } from '#vpc/volume-state.ts'
import type { Answer } from './operations.ts'

export type Impact = Answer<'transparency', 'foreseeImpact'>
export type Group = Impact['accounts'][number]

const serves = (standing: Group['key_before']): boolean => servingStandings.some((one) => one === standing)

/** What was served and is not any more. */
export const stops = (group: Group): boolean => serves(group.key_before) && !serves(group.key_after)

export const totalOf = (groups: readonly Group[], field: 'resources' | 'open'): number =>
  groups.reduce((total, group) => total + group[field], 0)
