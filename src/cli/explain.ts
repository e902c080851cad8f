// Why something is denied or stopped, and what to ask of whom. Asked of the server, which explains decisions before anybody
// has tried.

import { parseCrn } from '#base/crn.ts'
import type { Crn } from '#base/crn.ts'
import type { Explanation } from '#base/fault.ts'
import { keyOfCrn } from '#client/crn-problem.ts'
import { leaveQuestions } from '#client/leave.ts'
import type { Answer } from '#client/operations.ts'
import { words } from '#client/words.ts'
import { command, keyManagerOption, text } from './command.ts'
import { explained, nextOf } from './failure-text.ts'
import { exitCodes, Failure } from './failure.ts'
import { findVolume } from './find.ts'
import type { Volume } from './find.ts'
import { findKey } from './find-key.ts'
import type { Session } from './session.ts'
import { tint } from './shown.ts'
import type { Shown, Tint } from './shown.ts'

type Decision = Answer<'keyward', 'explainDecision'>

export const explainCommand = command({
  name: 'explain',
  summary: 'Say why something is denied or stopped, and what to ask of whom; exit code 3 where it is',
  description:
    "Of a volume: why it is not available. Of a key, also another account's by its CRN: whether this account's block storage may use it, or with --for another account's. With --action: whether you may do that to the thing of this CRN.",
  args: [{ name: 'thing', help: 'a volume, a key, or the CRN of anything', kind: 'volume' }],
  options: {
    for: text('ACCOUNT', "another account's block storage, for a key of this account"),
    action: text('ACTION', 'what is to be done, such as kms.secrets.disable'),
    keyManager: keyManagerOption,
  },
  examples: [
    ['explain data', 'Why is this volume unusable'],
    ['explain crn:v1:...:key:...', 'May our volumes lie under this key'],
    ['explain crn:v1:...:key:... --action kms.secrets.disable', 'May I disable it'],
  ],
  async run(cli, given) {
    const session = await cli.session()
    if (given.action !== undefined) return await explainAction(session, given.thing, given.action)
    const key = keyOfCrn(given.thing)
    if (key) return await explainKey(session, key, given.for ?? session.accountId)
    const volume = await orNull(findVolume(session, given.thing))
    if (volume) return await explainVolume(session, volume)
    const own = await orNull(findKey(session, given.thing, given.keyManager))
    const crn = keyOfCrn(own?.key.crn ?? '')
    if (!crn) throw new Failure('notFound', `there is no volume and no key ${given.thing} in this account`)
    return await explainKey(session, crn, given.for ?? session.accountId)
  },
})

async function orNull<Thing>(finding: Promise<Thing>): Promise<Thing | null> {
  try {
    return await finding
  } catch (error) {
    if (error instanceof Failure && error.code === 'notFound') return null
    throw error
  }
}

async function explainAction(session: Session, text: string, action: string): Promise<Shown> {
  const crn = parseCrn(text)
  if (!crn) throw new Failure('usage', `${JSON.stringify(text.slice(0, 200))} is no CRN: --action needs one`)
  const { accountId, serviceName, serviceInstance, resourceType, resource } = crn
  const decision = await session.call('keyward', 'explainDecision', {
    body: {
      action,
      resource: {
        account_id: accountId || session.accountId,
        service_name: serviceName,
        ...(serviceInstance && { service_instance: serviceInstance }),
        ...(resourceType && { resource_type: resourceType }),
        ...(resource && { resource }),
      },
    },
  })
  return shownDecision(decision, `You may do ${action}.`, `You may not do ${action}`)
}

async function leaveFor(session: Session, key: Crn, user: string): Promise<Decision> {
  const [toWrap, toRegister] = leaveQuestions(key, user)
  const wrap = await session.call('keyward', 'explainDecision', { body: toWrap })
  if (wrap.decision === 'Deny') return wrap
  return await session.call('keyward', 'explainDecision', { body: toRegister })
}

async function explainKey(session: Session, key: Crn, user: string): Promise<Shown> {
  const whose = user === session.accountId ? 'This account’s block storage' : `Block storage of account ${user}`
  const decision = await leaveFor(session, key, user)
  return shownDecision(
    decision,
    `${whose} may put volumes under this key.`,
    `${whose} may not put volumes under this key`,
  )
}

async function explainVolume(session: Session, volume: Volume): Promise<Shown> {
  const { name, status, status_reasons: reasons } = volume
  const key = keyOfCrn(volume.encryption_key?.crn ?? '')
  const isUnauthorized = reasons.some(({ code }) => code === 'encryption_key_not_authorized')
  const decision = key && isUnauthorized ? await leaveFor(session, key, session.accountId) : null
  const isWell = status === 'available'
  return {
    body: { volume_id: volume.id, status, status_reasons: reasons, ...(decision && { decision }) },
    exitCode: isWell ? 0 : exitCodes.denied[0],
    text: (paper) =>
      [
        tint(paper, isWell ? 'good' : 'bad', `${name} is ${words(status)}.`),
        ...reasons.map(({ message, code }) => `  ${message} (${code})`),
        ...(isWell || !key ? [] : askOwner(key, session.accountId, reasons[0]?.code)),
        ...(decision ? nextLines(decision) : []),
      ].join('\n'),
  }
}

/** What brings a volume back is its key's owner's to do. */
function askOwner(key: Crn, accountId: string, code: string | undefined): string[] {
  const whose = key.accountId === accountId ? 'this account' : `account ${key.accountId}`
  const where = key.serviceInstance ? ` --key-manager ${key.serviceInstance}` : ''
  const verb = { encryption_key_disabled: 'enable', encryption_key_deleted: 'restore' }[code ?? '']
  return [
    `  its key is ${key.resource} of ${whose}`,
    ...(verb ? [`  next: in ${whose}: keyward keys ${verb} ${key.resource}${where}`] : []),
  ]
}

function shownDecision(decision: Decision, yes: string, no: string): Shown {
  const isPermitted = decision.decision === 'Permit'
  const as: Tint = isPermitted ? 'good' : 'bad'
  return {
    body: decision,
    exitCode: isPermitted ? 0 : exitCodes.denied[0],
    text: (paper) =>
      isPermitted
        ? tint(paper, as, yes)
        : [tint(paper, as, `${no}:`), `  ${decision.message ?? ''}`, ...nextLines(decision)].join('\n'),
  }
}

function nextLines(decision: Decision): string[] {
  // The reply's explanation is that of src/base/fault.ts, which the contract leaves open.
  const explanation = decision.explanation as unknown as Explanation | undefined
  if (!explanation) return []
  const next = nextOf(explanation)
  return [...explained(explanation).slice(1), ...(next ? [`next: ${next}`] : [])].map((line) => `  ${line}`)
}
