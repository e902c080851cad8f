// The driver of installations whose users run their machines themselves: an instance is written down, its disks are served,
// and nothing else happens. What is recorded as running is.

import type { ComputePort } from './port.ts'

export const recordDriver: ComputePort = {
  runsMachines: false,
  start: async () => 'on',
  state: async () => 'on',
  reset: async () => false,
  stop: async () => true,
  plug: async () => true,
  unplug: async () => {},
  remove: async () => {},
  known: async () => [],
  consoleLog: async () => null,
}
