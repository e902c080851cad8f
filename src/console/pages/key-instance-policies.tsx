// What holds for all keys of an instance. Shown, and the one that is switched most often can be: dual authorization.

import { call } from '../api/call.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { Grid } from '../parts/grid.tsx'
import { envelope, inInstance } from '#client/key-manager.ts'
import { Empty, Section } from '../parts/page.tsx'
import { Problem } from '../parts/problem.tsx'
import { Status } from '../parts/status.tsx'
import { timeText, words } from '#client/words.ts'

/** What each is for, in a sentence: Key Protect, "Managing instance policies". */
const meanings: Readonly<Record<string, string>> = {
  allowedNetwork: 'From which networks the instance may be reached',
  allowedIP: 'From which addresses the instance may be reached',
  dualAuthDelete: 'New keys are deleted by two people only',
  keyCreateImportAccess: 'Which kinds of keys may be created or imported',
  metrics: 'Operational metrics are recorded',
  rotation: 'New keys are rotated by themselves',
}

/** Those that the console switches on and off; the others take settings, by the API. */
const switched = ['dualAuthDelete', 'metrics'] as const

export function InstancePolicies({ instanceId }: { readonly instanceId: string }) {
  const headers = inInstance(instanceId)
  const { data, error } = useApi('kms', 'getInstancePolicies', { headers })
  const set = useAct((session, wanted: { readonly type: string; readonly enabled: boolean }) =>
    call(session, 'kms', 'setInstancePolicies', {
      headers,
      query: { policy: wanted.type },
      body: envelope('policy', [{ policy_type: wanted.type, policy_data: { enabled: wanted.enabled } }]),
    }),
  )
  const isOn = (type: string): boolean =>
    data?.resources.some((one) => one.policy_type === type && one.policy_data.enabled) ?? false
  return (
    <>
      <div className="k-actions">
        {switched.map((type) => (
          <Act
            key={type}
            whyNot={null}
            busy={set.isPending}
            onClick={() => set.mutate({ type, enabled: !isOn(type) })}
          >{`Turn ${isOn(type) ? 'off' : 'on'} ${words(type.replaceAll(/([A-Z])/g, '_$1').toLowerCase())}`}</Act>
        ))}
      </div>
      {set.error && <Problem refusal={set.error} title="The policy was not changed" />}
      <Section title="Policies of the instance">
        <Grid
          label="Policies of the instance"
          rows={data?.resources}
          rowKey={(policy) => policy.policy_type}
          problem={error}
          empty={
            <Empty title="None is set">
              <p>Keys then follow their own policies alone.</p>
            </Empty>
          }
          columns={[
            { name: 'Policy', cell: (policy) => <code>{policy.policy_type}</code> },
            { name: 'Meaning', cell: (policy) => meanings[policy.policy_type] ?? '' },
            {
              name: 'Enabled',
              cell: ({ policy_data: { enabled } }) => (
                <Status tone={enabled ? 'good' : 'off'}>{enabled ? 'on' : 'off'}</Status>
              ),
            },
            {
              name: 'Settings',
              cell: ({ policy_data: { attributes } }) => (attributes ? <code>{JSON.stringify(attributes)}</code> : '–'),
            },
            { name: 'Changed', cell: (policy) => timeText(policy.lastUpdated) },
          ]}
        />
      </Section>
    </>
  )
}
