// A missing policy as what people run: a command, and a block of Terraform configuration. Texts go into both quoted, so
// that nothing an id or name contains is more than text.

import type { PolicyBody } from './explain.ts'
import { rolesByCrn } from './roles.ts'

export interface Fix {
  readonly curl: string
  readonly terraform: string
}

export const fixOf = (body: PolicyBody): Fix => ({ curl: curlOf(body), terraform: terraformOf(body) })

const curlOf = (body: PolicyBody): string =>
  [
    `curl -X POST "$IAM_ENDPOINT/v1/policies"`,
    `-H "Authorization: Bearer $IAM_TOKEN"`,
    `-H 'Content-Type: application/json'`,
    `-d ${inShell(JSON.stringify(body))}`,
  ].join(' ')

/** POSIX shell, "Single-quotes": nothing is special between them but the quote itself. */
const inShell = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`

type Attributes = PolicyBody['resources'][0]['attributes']

function terraformOf({ type, subjects, roles, resources }: PolicyBody): string {
  const names = roles.map(({ role_id }) => inTerraform(rolesByCrn.get(role_id)?.displayName ?? role_id))
  const subject = subjects[0].attributes
  const access = type === 'access' ? accessPolicyFor(subject) : null
  return [
    `resource "${access?.resource ?? 'ibm_iam_authorization_policy'}" "missing" {`,
    ...(access ? [`  ${access.by} = ${inTerraform(valueOfFirst(subject))}`] : []),
    `  roles = [${names.join(', ')}]`,
    ...(access ? [] : subject.flatMap((one) => block('subject_attributes', one, false))),
    ...resources[0].attributes.flatMap((one) => block('resource_attributes', one, true)),
    '}',
  ].join('\n')
}

/** The provider has a resource for each kind of identity, and another name for its id in each. */
function accessPolicyFor(subject: Attributes): { readonly resource: string; readonly by: string } {
  const id = valueOfFirst(subject)
  if (subject[0]?.name === 'access_group_id') return { resource: 'ibm_iam_access_group_policy', by: 'access_group_id' }
  if (id.startsWith('iam-ServiceId-')) return { resource: 'ibm_iam_service_policy', by: 'iam_id' }
  if (id.startsWith('iam-Profile-')) return { resource: 'ibm_iam_trusted_profile_policy', by: 'iam_id' }
  return { resource: 'ibm_iam_user_policy', by: 'ibm_id' }
}

const valueOfFirst = (attributes: Attributes): string => String(attributes[0]?.value ?? '')

const block = (name: string, attribute: Attributes[number], withOperator: boolean): readonly string[] => [
  `  ${name} {`,
  `    name = ${inTerraform(attribute.name)}`,
  ...(withOperator ? [`    operator = ${inTerraform(attribute.operator ?? 'stringEquals')}`] : []),
  `    value = ${inTerraform(String(attribute.value))}`,
  '  }',
]

/** HCL, "Quoted templates": `${` and `%{` begin something, doubled they do not. */
const inTerraform = (text: string): string => JSON.stringify(text).replaceAll('${', '$${').replaceAll('%{', '%%{')
