// Every command there is, in the order of the help.

import type { Command } from './command.ts'
import { attachmentCommands } from './attachments.ts'
import { auditCommands } from './audit.ts'
import { authorizationCommands } from './authorizations.ts'
import { completionCommands } from './completion.ts'
import { connectCommand } from './connect.ts'
import { doctorCommand } from './doctor.ts'
import { drillCommands } from './drill.ts'
import { explainCommand } from './explain.ts'
import { keyManagerCommands } from './key-managers.ts'
import { keyCommands } from './keys.ts'
import { ledgerCommands } from './ledger.ts'
import { loginCommands } from './login.ts'
import { noticeCommands } from './notices.ts'
import { operatorCommands } from './operator.ts'
import { planCommands } from './plans.ts'
import { targetCommands } from './target.ts'
import { verifyCommand } from './verify-command.ts'
import { volumeCommands } from './volumes.ts'
import { imageCommands, instanceCommands, snapshotCommands } from './vpc-lists.ts'

export const commands: readonly Command[] = [
  ...loginCommands,
  ...targetCommands,
  ...keyManagerCommands,
  ...keyCommands,
  ...authorizationCommands,
  ...volumeCommands,
  ...attachmentCommands,
  connectCommand,
  ...snapshotCommands,
  ...imageCommands,
  ...instanceCommands,
  ...ledgerCommands,
  ...noticeCommands,
  ...planCommands,
  explainCommand,
  ...auditCommands,
  verifyCommand,
  ...drillCommands,
  doctorCommand,
  ...operatorCommands,
  ...completionCommands(() => commands),
]
