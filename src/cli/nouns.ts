// The nouns of the command line, and the order in which the help has them.

export interface Noun {
  readonly summary: string
  /** The singular, for who thinks so. */
  readonly alias?: string
}

export const nouns: Readonly<Record<string, Noun>> = {
  'key-managers': { summary: 'Instances of the key manager', alias: 'key-manager' },
  keys: { summary: 'Keys: make, rotate, disable, delete, and take back', alias: 'key' },
  authorizations: { summary: 'Who of other accounts may use the keys of this one', alias: 'authorization' },
  volumes: { summary: 'Volumes, under keys of this account or of others', alias: 'volume' },
  snapshots: { summary: 'Snapshots of volumes', alias: 'snapshot' },
  images: { summary: 'Images to make volumes of', alias: 'image' },
  instances: { summary: 'Instances: each stands for one machine of yours', alias: 'instance' },
  ledger: { summary: 'Who uses which key, for both sides, now and then' },
  notices: { summary: 'What this account was told about keys that it depends on', alias: 'notice' },
  plans: { summary: 'Actions on keys that are announced before they are done', alias: 'plan' },
  audit: { summary: 'The audit trail and its signed log' },
  account: { summary: 'Accounts, for whoever runs the server' },
  drill: { summary: 'Rehearsals on scratch resources' },
}

const headings: Readonly<Record<string, readonly string[]>> = {
  'Sign in:': ['login', 'logout', 'target', 'whoami'],
  'Keys:': ['key-managers', 'keys', 'authorizations'],
  'Volumes:': ['volumes', 'attach', 'detach', 'connect', 'snapshots', 'images', 'instances'],
  'Both sides:': ['ledger', 'impact', 'notices', 'plans', 'explain', 'audit', 'verify', 'drill'],
}

export const headingOf = (firstWord: string): string =>
  Object.entries(headings).find(([, words]) => words.includes(firstWord))?.[0] ?? 'This machine:'
