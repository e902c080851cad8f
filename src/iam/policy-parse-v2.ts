// Version 2 of the policy API, in the words of policy-parse.ts: attributes have keys instead of names, and a rule may add
// conditions on the resource and the time.

import type { Static } from 'typebox'
import { policyRuleConditionsMax } from '#base/limits.ts'
import { resourceNames } from './attributes.ts'
import type { ConditionValue } from './conditions.ts'
import type { policyRequestV2 } from './contract-policy-v2.ts'
import { draftOf, wrongField } from './policy-parse.ts'
import type { PolicyDraft, SentAttribute, SentRule } from './policy.ts'
import { wrongTime } from './rules.ts'
import type { Rule } from './rules.ts'

type PolicyRequestV2 = Static<typeof policyRequestV2>

export function parsePolicyV2(body: PolicyRequestV2): PolicyDraft {
  const { type, description, subject, resource, control, pattern, rule } = body
  return draftOf(
    {
      type,
      roles: control.grant.roles.map(({ role_id }) => role_id),
      sent: {
        description: description ?? null,
        subject: subject.attributes.map(named),
        resource: resource.attributes.map(named),
        ...(resource.tags && { tags: resource.tags.map(named) }),
        ...(rule && { rule }),
        ...(pattern !== undefined && { pattern }),
      },
      rule: rule ? parseRule(rule) : null,
    },
    { subject: 'subject.attributes', resource: 'resource.attributes', roles: 'control.grant.roles' },
  )
}

const named = (sent: { key: string; operator: string; value: ConditionValue }): SentAttribute => ({
  name: sent.key,
  value: sent.value,
  operator: sent.operator,
})

/** The schema has limited depth and list lengths; how many conditions there are in all it cannot say. */
function parseRule(sent: SentRule): Rule {
  const rule = ruleOf(sent, 'rule')
  if (countOf(rule) > policyRuleConditionsMax) {
    throw wrongField('rule', `has at most ${policyRuleConditionsMax} conditions in all`)
  }
  return rule
}

const countOf = (rule: Rule): number =>
  'conditions' in rule ? rule.conditions.reduce((sum, inner) => sum + countOf(inner), 0) : 1

function ruleOf(sent: SentRule, field: string): Rule {
  if ('conditions' in sent) {
    return {
      // The schema allows no other.
      operator: sent.operator === 'or' ? 'or' : 'and',
      conditions: sent.conditions.map((inner, at) => ruleOf(inner, `${field}.conditions.${at}`)),
    }
  }
  const [, about, name = ''] = /^\{\{(resource|environment)\.attributes\.([\w-]+)\}\}$/.exec(sent.key) ?? []
  if (about === 'environment') return ofTime(sent, name, field)
  if (about !== 'resource') {
    throw wrongField(`${field}.key`, 'is {{resource.attributes.NAME}} or {{environment.attributes.NAME}}')
  }
  if (!resourceNames.includes(name)) {
    throw wrongField(`${field}.key`, `unknown attribute ${name}: the attributes here are ${resourceNames.join(', ')}`)
  }
  return { name, operator: sent.operator, value: valueFor(sent.operator, sent.value, `${field}.value`) }
}

function ofTime(sent: { operator: string; value: unknown }, attribute: string, field: string): Rule {
  const name = `environment.${attribute}`
  // Days are shown as numbers too: of UTC.
  const text = (value: unknown): string =>
    typeof value === 'number' ? String(value) : typeof value === 'string' ? value : ''
  const value = Array.isArray(sent.value) ? sent.value.map(text) : text(sent.value)
  const wrong = wrongTime({ name, operator: sent.operator, value })
  if (wrong !== null) throw wrongField(field, `${sent.operator} ${wrong}`)
  return { name, operator: sent.operator, value }
}

function valueFor(operator: string, value: unknown, field: string): ConditionValue {
  switch (operator) {
    case 'stringEquals':
    case 'stringMatch':
      if (typeof value === 'string') return value
      break
    case 'stringExists':
      if (typeof value === 'boolean') return value
      break
    case 'stringEqualsAnyOf':
    case 'stringMatchAnyOf':
      if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
      break
    default:
      throw wrongField(field, `${operator} has no meaning for a resource attribute`)
  }
  throw wrongField(field, `is not a value for ${operator}`)
}
