// Every command there is, in the order of the help.

import type { Command } from './command.ts'
import { authorizationCommands } from './authorizations.ts'
import { completionCommands } from './completion.ts'
import { drillCommands } from './drill.ts'
import { keyManagerCommands } from './key-managers.ts'
import { keyCommands } from './keys.ts'
import { loginCommands } from './login.ts'
import { operatorCommands } from './operator.ts'
import { targetCommands } from './target.ts'
import { verifyCommand } from './verify-command.ts'
import { volumeCommands } from './volumes.ts'

export const commands: readonly Command[] = [
  ...loginCommands,
  ...targetCommands,
  ...keyManagerCommands,
  ...keyCommands,
  ...authorizationCommands,
  ...volumeCommands,
  ...drillCommands,
  verifyCommand,
  ...operatorCommands,
  ...completionCommands(() => commands),
]
