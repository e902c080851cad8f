// What a key does by itself, and how many people its deletion takes.

import { Button, Select, SelectItem } from '@carbon/react'
import { useState } from 'react'
import { call } from '../api/call.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { Act } from '../parts/act.tsx'
import { envelope, inInstance } from '#client/key-manager.ts'
import { Problem } from '../parts/problem.tsx'
import { plural } from '#client/words.ts'

const months = [1, 2, 3, 6, 12] as const

export function KeyPolicies({ instanceId, id }: { readonly instanceId: string; readonly id: string }) {
  const headers = inInstance(instanceId)
  const { data, error } = useApi('kms', 'getKeyPolicies', { headers, path: { id } })
  const rotation = data?.resources.find((one) => one.rotation)?.rotation
  const dual = data?.resources.find((one) => one.dualAuthDelete)?.dualAuthDelete
  const [interval, setInterval] = useState('')
  const set = useAct((session, policy: { rotation: object } | { dualAuthDelete: { enabled: boolean } }) =>
    call(session, 'kms', 'setKeyPolicies', {
      headers,
      path: { id },
      query: { policy: 'rotation' in policy ? 'rotation' : 'dualAuthDelete' },
      body: envelope('policy', [{ type: 'application/vnd.ibm.kms.policy+json', ...policy }]),
    }),
  )
  if (error && !data) return <Problem refusal={error} title="The policies cannot be shown" />
  const wanted = Number(interval || rotation?.interval_month || 3)
  return (
    <div className="k-form">
      <p>
        {rotation?.enabled
          ? `It is rotated every ${plural(rotation.interval_month, 'month')}.`
          : 'It is rotated by hand only.'}
      </p>
      <div className="k-filters">
        <Select
          id="rotation-months"
          labelText="Rotate every"
          value={String(wanted)}
          onChange={(event) => setInterval(event.target.value)}
        >
          {months.map((one) => (
            <SelectItem key={one} value={String(one)} text={plural(one, 'month')} />
          ))}
        </Select>
        <div className="k-actions">
          <Button
            kind="tertiary"
            size="md"
            disabled={set.isPending}
            onClick={() => set.mutate({ rotation: { enabled: true, interval_month: wanted } })}
          >
            Rotate by itself
          </Button>
          {rotation?.enabled && (
            <Button
              kind="ghost"
              size="md"
              disabled={set.isPending}
              onClick={() => set.mutate({ rotation: { enabled: false } })}
            >
              By hand only
            </Button>
          )}
        </div>
      </div>
      <p>{dual?.enabled ? 'Deleting it takes two people.' : 'One person can delete it.'}</p>
      <div>
        <Act
          whyNot={
            dual?.enabled ? 'A key that two people protect stays so: one of them alone could undo it otherwise.' : null
          }
          busy={set.isPending}
          onClick={() => set.mutate({ dualAuthDelete: { enabled: true } })}
        >
          Let deletion take two people
        </Act>
      </div>
      {set.error && <Problem refusal={set.error} title="The policy was not changed" />}
    </div>
  )
}
