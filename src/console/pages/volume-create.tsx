// A new volume, and above all under whose key. Whether the key's account lets this account's block storage use it is asked
// while one types, so that the refusal comes before the attempt, with what to send to the key's owner.

import { Button, RadioButton, RadioButtonGroup, Select, SelectItem, TextInput } from '@carbon/react'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { useNavigate } from 'react-router'
import { call } from '../api/call.ts'
import type { Answer, Given } from '#client/operations.ts'
import { useAct, useApi } from '../api/use-api.ts'
import { KeyByCrn, KeyByInstance } from '../parts/key-choice.tsx'
import { KeyLeave, useKeyLeave } from '../parts/key-leave.tsx'
import { Panel } from '../parts/panel.tsx'
import { Problem } from '../parts/problem.tsx'
import { useZones } from '../parts/zones.ts'
import type { Snapshot } from './snapshots.tsx'

type By = 'same' | 'provider' | 'instance' | 'crn'
type Body = NonNullable<Given<'vpc', 'createVolume'>['body']>
type Profile = Answer<'vpc', 'getVolumeProfile'>

export function VolumeCreate(props: { readonly from?: Snapshot; readonly onClose: () => void }) {
  const { from, onClose } = props
  const navigate = useNavigate()
  const zones = useZones()
  const profiles = useApi('vpc', 'listVolumeProfiles', {}).data?.profiles ?? []
  const [name, setName] = useState('')
  const [zone, setZone] = useState('')
  const [profileName, setProfileName] = useState('general-purpose')
  const [capacity, setCapacity] = useState(String(from?.minimum_capacity ?? 10))
  const [iops, setIops] = useState('')
  const [by, setBy] = useState<By>(from ? 'same' : 'instance')
  const [keyCrn, setKeyCrn] = useState('')
  const leave = useKeyLeave(
    by === 'instance' || by === 'crn' ? keyCrn : by === 'same' ? (from?.encryption_key?.crn ?? '') : '',
  )
  const profile = profiles.find((one) => one.name === profileName)
  const isNamed = by === 'instance' || by === 'crn'
  const zoneName = zone || zones[0] || ''
  const chooses = profile !== undefined && profile.family !== 'tiered'

  const create = useAct(
    (session, body: Body) => call(session, 'vpc', 'createVolume', { body }),
    (volume) => void navigate(`/volumes/${volume.id}`),
  )

  function submit(event: FormEvent): void {
    event.preventDefault()
    create.mutate({
      profile: { name: profileName },
      zone: { name: zoneName },
      capacity: Number(capacity),
      ...(name && { name }),
      ...(chooses && iops && { iops: Number(iops) }),
      ...(from && { source_snapshot: { id: from.id } }),
      ...(isNamed && { encryption_key: { crn: keyCrn.trim() } }),
    })
  }

  return (
    <Panel
      title={from ? `Create volume from ${from.name}` : 'Create volume'}
      onClose={onClose}
      foot={
        <>
          <Button kind="secondary" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" form="create-volume" disabled={create.isPending || (isNamed && keyCrn === '')}>
            {create.isPending ? 'Creating …' : 'Create'}
          </Button>
        </>
      }
    >
      <form id="create-volume" className="k-form" onSubmit={submit}>
        <TextInput
          id="volume-name"
          labelText="Name"
          helperText="Lower-case letters, digits and hyphens. Left empty, one is made up."
          value={name}
          onChange={(event) => setName(event.target.value)}
        />
        <div className="k-pair">
          <Select id="volume-zone" labelText="Zone" value={zoneName} onChange={(event) => setZone(event.target.value)}>
            {zones.map((one) => (
              <SelectItem key={one} value={one} text={one} />
            ))}
          </Select>
          <TextInput
            id="volume-capacity"
            labelText="Size in GB"
            helperText={rangeOf(profile?.capacity)}
            inputMode="numeric"
            value={capacity}
            onChange={(event) => setCapacity(event.target.value)}
          />
        </div>
        <div className="k-pair">
          <Select
            id="volume-profile"
            labelText="Profile"
            value={profileName}
            onChange={(event) => setProfileName(event.target.value)}
          >
            {profiles.map((one) => (
              <SelectItem key={one.name} value={one.name} text={one.name} />
            ))}
          </Select>
          {chooses && (
            <TextInput
              id="volume-iops"
              labelText="IOPS"
              helperText={rangeOf(profile?.iops)}
              inputMode="numeric"
              value={iops}
              onChange={(event) => setIops(event.target.value)}
            />
          )}
        </div>
        <RadioButtonGroup
          legendText="Root key"
          name="key-by"
          orientation="vertical"
          valueSelected={by}
          onChange={(value) => {
            setBy(value as By)
            setKeyCrn('')
          }}
        >
          {from ? <RadioButton id="by-same" value="same" labelText="The same as the snapshot’s" /> : null}
          <RadioButton id="by-instance" value="instance" labelText="Of this account: locate by instance" />
          <RadioButton id="by-crn" value="crn" labelText="Of another account: locate by CRN" />
          {from ? null : <RadioButton id="by-provider" value="provider" labelText="The provider’s" />}
        </RadioButtonGroup>
        {by === 'instance' && <KeyByInstance onChoose={setKeyCrn} />}
        {by === 'crn' && <KeyByCrn value={keyCrn} onChange={setKeyCrn} />}
        <KeyLeave leave={leave} />
        {create.error && <Problem refusal={create.error} title="The volume was not created" />}
      </form>
    </Panel>
  )
}

const rangeOf = (value: Profile['capacity'] | undefined): string =>
  value?.min !== undefined && value.max !== undefined ? `${value.min} to ${value.max}` : ''
