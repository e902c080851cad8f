// How the machine behind an instance opens an attached volume: commands to paste. The secret in them is made when asked for,
// shown once, and not kept.

import { Button } from '@carbon/react'
import { useState } from 'react'
import { Link } from 'react-router'
import { mayInStatus } from '#vpc/volume-state.ts'
import { call } from '../api/call.ts'
import type { Answer } from '#client/operations.ts'
import { useAct } from '../api/use-api.ts'
import { Act } from './act.tsx'
import { Confirm } from './confirm.tsx'
import { CopyBlock } from './copy.tsx'
import { Problem } from './problem.tsx'
import { timeText, volumeWhyNot } from '#client/words.ts'

type Volume = Answer<'vpc', 'getVolume'>
type Connection = Answer<'keyward', 'createConnection'>

export function ConnectBox(props: {
  readonly volume: Volume
  readonly attachment: Volume['volume_attachments'][number]
}) {
  const { volume, attachment } = props
  const path = { instance_id: attachment.instance.id, id: attachment.id }
  const [detaching, setDetaching] = useState(false)
  const connect = useAct((session) => call(session, 'keyward', 'createConnection', { path }))
  const detach = useAct(
    (session) => call(session, 'vpc', 'deleteVolumeAttachment', { path }),
    () => setDetaching(false),
  )
  const whyNot = mayInStatus('connect', volume.status)
    ? volume.active
      ? null
      : 'The instance is stopped; start it first.'
    : volumeWhyNot('connect', volume.status)
  return (
    <div className="k-box">
      <p>
        <strong>{attachment.name}</strong> on{' '}
        <Link to={`/instances/${attachment.instance.id}`}>{attachment.instance.name}</Link>
        {attachment.delete_volume_on_instance_delete && ' · deleted with the instance'}
      </p>
      <div className="k-actions">
        <Act whyNot={whyNot} busy={connect.isPending} onClick={() => connect.mutate(undefined)}>
          {connect.data ? 'Show new connection' : 'Show how to connect'}
        </Act>
        <Act
          kind="ghost"
          whyNot={attachment.type === 'boot' ? 'A boot volume goes with its instance.' : null}
          onClick={() => setDetaching(true)}
        >
          Detach
        </Act>
      </div>
      {connect.error && <Problem refusal={connect.error} title="No connection was made" />}
      {connect.data && <Commands connection={connect.data} />}
      {detaching && (
        <Confirm
          title={`Detach ${volume.name}?`}
          verb="Detach"
          busy={detach.isPending}
          problem={detach.error}
          onConfirm={() => detach.mutate(undefined)}
          onClose={() => setDetaching(false)}
        >
          <p>Open connections are cut. Flush and unmount on the machine first.</p>
        </Confirm>
      )}
    </div>
  )
}

function Commands({ connection }: { readonly connection: Connection }) {
  const { uri, unix_uri: unixUri, tls, expires_at: expiresAt } = connection
  const [shown, setShown] = useState<Way>('look')
  const from = `'${uri}?tls-psk-file=${secretFile}'`
  const secret = `(umask 077; printf '%s:%s\\n' '${tls.psk_identity}' '${tls.psk_key}' > ${secretFile})`
  const commands: Readonly<Record<Way, readonly string[]>> = {
    look: [secret, `nbdinfo ${from}`],
    mount: [
      secret,
      'mkdir -p volume',
      `sudo nbdfuse volume/disk ${from} &`,
      'sudo mkfs.ext4 volume/disk   # the first time',
      'sudo mount -o loop volume/disk /mnt',
    ],
    copy: [secret, `nbdcopy image.raw ${from}`],
  }
  return (
    <div className="k-commands">
      <div className="k-actions" role="group" aria-label="What to do with it">
        {ways.map(([way, name]) => (
          <Button
            key={way}
            size="sm"
            kind={shown === way ? 'secondary' : 'ghost'}
            aria-pressed={shown === way}
            onClick={() => setShown(way)}
          >
            {name}
          </Button>
        ))}
      </div>
      <CopyBlock label="commands" text={commands[shown].join('\n')} />
      <p className="k-small">
        With libnbd (Debian: libnbd-bin). The secret is shown this once and opens the volume for one machine until{' '}
        {timeText(expiresAt)}. On the server itself there is also the socket <code>{unixUri}</code>.
      </p>
    </div>
  )
}

const secretFile = 'keyward.psk'

const ways = [
  ['look', 'Look at it'],
  ['mount', 'Mount it'],
  ['copy', 'Fill it from an image'],
] as const

type Way = (typeof ways)[number][0]
