// How much a record matters. Source: Key Protect, "Activity tracking events", severity by action and by status.

import type { AuditBody } from './audit-record.ts'

type Severity = AuditBody['severity']

/** The rest of an action's name after its service. */
const ofAction: Readonly<Record<string, Severity>> = {
  'secrets.delete': 'critical',
  'registrations.delete': 'critical',
  'secrets.rotate': 'warning',
  'secrets.restore': 'warning',
  'secrets.enable': 'warning',
  'secrets.disable': 'warning',
  'secrets.setkeyfordeletion': 'warning',
  'secrets.unsetkeyfordeletion': 'warning',
  'policies.write': 'warning',
  'instance-policies.write': 'warning',
}

const ofStatus: Readonly<Record<number, Severity>> = {
  400: 'warning',
  401: 'critical',
  403: 'critical',
  409: 'warning',
  424: 'warning',
  502: 'warning',
  503: 'critical',
  504: 'warning',
  505: 'warning',
  507: 'critical',
}

export const severityOf = (action: string, status: number): Severity =>
  ofStatus[status] ?? ofAction[action.slice(action.indexOf('.') + 1)] ?? 'normal'
